//! The broker's life: take the socket, drop privileges, bring the sessions back, serve, leave when idle.

use super::{
    admit::{Admission, refuse, welcome},
    events,
    methods::Broker,
    prepare::{Unready, prepare},
    privileges::drop_capabilities,
};
use crate::{
    engine::{DockerEngine, Measured},
    log::LogFile,
    sys::passing::refuse_descriptors,
};
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
    time::{Interval, MissedTickBehavior, interval},
};

/// How often it tells systemd that it lives (a third of the unit's `WatchdogSec`) and how it is.
const TICK: Duration = Duration::from_secs(10);
/// How long calls may take that are being worked on when the broker is told to stop; below the unit's `TimeoutStopSec`.
const FINISH: Duration = Duration::from_secs(10);
/// How long it stays when only a timer wanted something.
const TIMER_EXIT: Duration = Duration::from_secs(20);
/// How often a broker that cannot work looks whether it can.
const RETRY: Duration = Duration::from_secs(1);

/// Runs the broker on the files under `etc`, until it has had no session for `idle_exit` or is told to stop. It says
/// where `log` is to be.
pub fn run(etc: &Path, idle_exit: Duration, log: LogFile) -> anyhow::Result<()> {
    let listener = activated_listener()?;
    drop_capabilities()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let listener = UnixListener::from_std(listener).context("listening")?;
        let result = Life::new(idle_exit, log)?.live(&listener, etc).await;
        tell(&[NotifyState::Stopping]);
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

/// What ends the broker or keeps systemd content.
struct Life {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    ticks: Interval,
    watched: bool,
    idle_exit: Duration,
    admission: Admission,
    log: LogFile,
}

impl Life {
    fn new(idle_exit: Duration, log: LogFile) -> anyhow::Result<Self> {
        let mut ticks = interval(TICK.min(idle_exit).max(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            ticks,
            watched: watchdog_enabled(false).is_some(),
            idle_exit,
            admission: Admission::default(),
            log,
        })
    }

    async fn live(mut self, listener: &UnixListener, etc: &Path) -> anyhow::Result<()> {
        match self.become_ready(listener, etc).await? {
            Some(broker) => self.serve(listener, &broker).await,
            None => Ok(()),
        }
    }

    /// Brings settings, state and sessions together. While that is not possible everybody is told why; `None` when told
    /// to stop meanwhile.
    async fn become_ready(
        &mut self,
        listener: &UnixListener,
        etc: &Path,
    ) -> anyhow::Result<Option<Rc<Broker<Measured<DockerEngine>>>>> {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unready: Option<Unready> = None;
        loop {
            tokio::select! {
                biased;
                _ = retry.tick() => match prepare(etc, &self.log, &self.admission) {
                    Ok(broker) => {
                        let broker = Rc::new(broker);
                        tell(&[NotifyState::Ready, NotifyState::Status(status(&broker))]);
                        return Ok(Some(broker));
                    }
                    Err(why) => {
                        // Once, not every second.
                        if unready.as_ref() != Some(&why) {
                            events::unready(&why.for_log);
                            tell(&[NotifyState::Ready, NotifyState::Status(why.for_log.join("; "))]);
                        }
                        unready = Some(why);
                    }
                },
                // Not before the first attempt: whoever activates the broker is waiting to be accepted already, and the
                // timer may fire a little later than the socket is ready.
                accepted = listener.accept(), if unready.is_some() => {
                    let reason = unready.as_ref().map_or("the server is starting; try again", |why| why.for_user);
                    if let Some(stream) = accepted_or_pause(accepted).await {
                        refuse(&self.admission, stream, reason);
                    }
                }
                _ = self.ticks.tick() => self.watchdog(Vec::new()),
                // The files are looked at all the time.
                _ = self.hangup.recv() => {}
                _ = self.terminate.recv() => return Ok(None),
                _ = self.interrupt.recv() => return Ok(None),
            }
        }
    }

    /// Accepts connections until there is nothing to stay for.
    async fn serve(
        mut self,
        listener: &UnixListener,
        broker: &Rc<Broker<Measured<DockerEngine>>>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut last_use = began;
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Some(stream) = accepted_or_pause(accepted).await {
                    welcome(&self.admission, stream, broker);
                },
                _ = self.ticks.tick() => {
                    if !broker.sessions.is_empty() || !self.admission.is_empty() {
                        last_use = Instant::now();
                    }
                    last_use = broker.last_login.get().map_or(last_use, |login| login.max(last_use));
                    // A timer that asked for a pass is no reason to stay.
                    let patience = if last_use == began { self.idle_exit.min(TIMER_EXIT) } else { self.idle_exit };
                    if last_use.elapsed() >= patience {
                        events::idle_exit(self.idle_exit);
                        broker.sessions.tidy();
                        broker.sessions.close_audit();
                        broker.rest().await;
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

    /// Answers what was asked before the end was: an upgrade in the middle of a creation is nobody's failed login. Who
    /// connects meanwhile waits for the next broker.
    async fn finish(broker: &Broker<Measured<DockerEngine>>) {
        tell(&[NotifyState::Stopping]);
        let deadline = Instant::now() + FINISH;
        while broker.in_flight.get() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // A reply that was made a moment ago has yet to be written.
        tokio::time::sleep(Duration::from_millis(20)).await;
        broker.sessions.close_audit();
        broker.rest().await;
    }

    fn watchdog(&self, mut states: Vec<NotifyState>) {
        if self.watched {
            states.push(NotifyState::Watchdog);
        }
        tell(&states);
    }
}

async fn accepted_or_pause<A>(
    accepted: std::io::Result<(tokio::net::UnixStream, A)>,
) -> Option<tokio::net::UnixStream> {
    match accepted {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            // Out of descriptors: those who are connected will leave.
            events::accept_failed(&error);
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn status(broker: &Broker<Measured<DockerEngine>>) -> String {
    let (sessions, connections) = broker.sessions.counts();
    format!("{sessions} sessions, {connections} connections")
}

/// Tells systemd; started otherwise there is nobody to tell.
fn tell(states: &[NotifyState]) {
    if let Err(error) = notify(false, states) {
        tracing::warn!("telling systemd: {error}");
    }
}
