//! The server: takes the socket, drops privileges, restores the sessions, serves, and exits when idle.

use super::{
    accept::Connections,
    events,
    prepare::{Unready, prepare},
    privileges::drop_capabilities,
    state::Broker,
};
use crate::{engine::AnyEngine, log::LogFile, sys::passing::refuse_descriptors};
use anyhow::{Context as _, bail};
use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};
use std::{
    os::unix::net::UnixListener as StdListener,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    net::UnixListener,
    signal::unix::{Signal, SignalKind, signal},
    task::LocalSet,
    time::{Interval, MissedTickBehavior, interval, timeout},
};

/// The interval of status and watchdog messages to systemd, a third of the unit's `WatchdogSec`.
const TICK: Duration = Duration::from_secs(10);
/// How long calls in flight may take once a signal stops the broker; below the unit's `TimeoutStopSec`.
const FINISH: Duration = Duration::from_secs(10);
/// How long a broker that only a timer has used stays.
const TIMER_EXIT: Duration = Duration::from_secs(20);
/// The interval of attempts to get ready.
const RETRY: Duration = Duration::from_secs(1);

/// Runs the broker with the files under `etc`, until no session has existed for `idle_exit` or a signal stops it. The
/// settings determine where `log` is written.
pub fn run(etc: &Path, idle_exit: Duration, log: LogFile) -> anyhow::Result<()> {
    let listener = activated_listener()?;
    drop_capabilities()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let listener = UnixListener::from_std(listener).context("listening")?;
        let result = Server::new(idle_exit, log)?.run(&listener, etc).await;
        notify_systemd(&[NotifyState::Stopping]);
        result
    })
}

/// The socket that systemd passed.
fn activated_listener() -> anyhow::Result<StdListener> {
    let mut inherited = listenfd::ListenFd::from_env();
    let listener = inherited.take_unix_listener(0).context("taking the socket from systemd")?;
    let Some(listener) = listener else {
        bail!(
            "no socket was passed; the broker is started by podspawn-broker.socket: \
             systemctl start podspawn-broker.socket"
        )
    };
    refuse_descriptors(&listener).context("preparing the socket")?;
    listener.set_nonblocking(true).context("preparing the socket")?;
    Ok(listener)
}

/// The signals, timers and connections of the running broker.
struct Server {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    ticks: Interval,
    is_watched: bool,
    idle_exit: Duration,
    connections: Connections,
    log: LogFile,
}

impl Server {
    fn new(idle_exit: Duration, log: LogFile) -> anyhow::Result<Self> {
        let mut ticks = interval(TICK.min(idle_exit).max(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            ticks,
            is_watched: watchdog_enabled(false).is_some(),
            idle_exit,
            connections: Connections::default(),
            log,
        })
    }

    async fn run(mut self, listener: &UnixListener, etc: &Path) -> anyhow::Result<()> {
        match self.become_ready(listener, etc).await? {
            Some(broker) => self.serve(listener, &broker).await,
            None => Ok(()),
        }
    }

    /// Reads the settings and the state and restores the sessions. While that fails, every call is answered with the reason.
    /// `None` if a signal stops the broker meanwhile.
    async fn become_ready(
        &mut self,
        listener: &UnixListener,
        etc: &Path,
    ) -> anyhow::Result<Option<Rc<Broker<AnyEngine>>>> {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unready: Option<Unready> = None;
        loop {
            tokio::select! {
                biased;
                _ = retry.tick() => match prepare(etc, &self.log, &self.connections.peers) {
                    Ok(broker) => {
                        let broker = Rc::new(broker);
                        notify_systemd(&[NotifyState::Ready, NotifyState::Status(status(&broker))]);
                        return Ok(Some(broker));
                    }
                    Err(why) => {
                        // Logs each reason once, not every second.
                        if unready.as_ref() != Some(&why) {
                            events::unready(&why.for_log);
                            notify_systemd(&[NotifyState::Ready, NotifyState::Status(why.for_log.join("; "))]);
                        }
                        unready = Some(why);
                    }
                },
                // Not before the first attempt: the connection that activated the broker waits already, and the timer may
                // fire a little later than the socket is ready.
                accepted = listener.accept(), if unready.is_some() => {
                    let reason = unready.as_ref().map_or("the server is starting; try again", |why| why.for_user);
                    if let Some(stream) = accepted_or_pause(accepted).await {
                        self.connections.refuse(stream, reason);
                    }
                }
                _ = self.ticks.tick() => self.watchdog(Vec::new()),
                // Each attempt reads the files anyway.
                _ = self.hangup.recv() => {}
                _ = self.terminate.recv() => return Ok(None),
                _ = self.interrupt.recv() => return Ok(None),
            }
        }
    }

    /// Accepts connections until the broker is idle or a signal stops it.
    async fn serve(mut self, listener: &UnixListener, broker: &Rc<Broker<AnyEngine>>) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut last_use = began;
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Some(stream) = accepted_or_pause(accepted).await {
                    self.connections.accept(stream, broker);
                },
                _ = self.ticks.tick() => {
                    if !broker.sessions.is_empty() || self.connections.peers.keep_running() {
                        last_use = Instant::now();
                    }
                    last_use = broker.last_login.get().map_or(last_use, |login| login.max(last_use));
                    // A cleanup by the timer alone does not keep the broker running.
                    let patience = if last_use == began { self.idle_exit.min(TIMER_EXIT) } else { self.idle_exit };
                    if last_use.elapsed() >= patience {
                        events::idle_exit(self.idle_exit);
                        broker.sessions.tidy();
                        broker.shut_down().await;
                        return Ok(());
                    }
                    events::log_file(&self.log);
                    self.watchdog(vec![NotifyState::Status(status(broker))]);
                }
                _ = self.hangup.recv() => broker.reload(),
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
            }
        }
        Self::finish(broker).await;
        Ok(())
    }

    /// Lets calls in flight finish, so that an upgrade fails no login. Later connections wait for the next broker.
    async fn finish(broker: &Broker<AnyEngine>) {
        notify_systemd(&[NotifyState::Stopping]);
        // A call is in flight until its reply is written.
        let _ = timeout(FINISH, broker.in_flight.zero()).await;
        broker.shut_down().await;
    }

    fn watchdog(&self, mut states: Vec<NotifyState>) {
        if self.is_watched {
            states.push(NotifyState::Watchdog);
        }
        notify_systemd(&states);
    }
}

async fn accepted_or_pause<A>(
    accepted: std::io::Result<(tokio::net::UnixStream, A)>,
) -> Option<tokio::net::UnixStream> {
    match accepted {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            // Out of descriptors, as a rule: connections that close free some.
            events::accept_failed(&error);
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn status(broker: &Broker<AnyEngine>) -> String {
    let (sessions, connections) = broker.sessions.counts();
    format!("{sessions} sessions, {connections} connections")
}

/// Sends systemd the states; does nothing where systemd has not started the broker.
fn notify_systemd(states: &[NotifyState]) {
    if let Err(error) = notify(false, states) {
        tracing::warn!("notifying systemd: {error}");
    }
}
