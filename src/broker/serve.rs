//! The broker's life: take the socket, drop privileges, bring the sessions back, serve, leave when idle.

use super::{authorize::Caller, capped::Capped, connection, events, methods::Broker, privileges::drop_capabilities};
use crate::{
    accounts::Accounts,
    engine::DockerEngine,
    policy,
    session::{GuestBinary, Rules, Sessions},
    settings::{FileError, Live},
    store::Store,
};
use anyhow::{Context as _, anyhow, bail};
use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};
use std::{
    cell::RefCell,
    collections::HashMap,
    os::unix::net::UnixListener as StdListener,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    task::{LocalSet, spawn_local},
    time::{MissedTickBehavior, interval, timeout},
};
use zlink::{connection::Connection, tokio::unix::Stream};

/// How long the broker stays without any session.
const IDLE_EXIT: Duration = Duration::from_secs(5 * 60);
/// How often it tells systemd that it lives (a third of the unit's `WatchdogSec`) and how it is.
const TICK: Duration = Duration::from_secs(10);
/// Connections of one uid at once. A login needs one for as long as its container is being made; sshd's own
/// `MaxStartups` is 100 by default.
const MAX_PER_UID: u32 = 256;
/// Connections at once, of everybody; with a socket per session well below the unit's `LimitNOFILE`.
const MAX_CONNECTIONS: u32 = 4096;
/// How long a peer's account may be looked up: a directory server may be slow.
const LOOKUP: Duration = Duration::from_secs(10);

/// Where the guests' sockets are. Not the service's runtime directory: that would go when the service stops.
const SOCKETS: &str = "/run/podspawn/guests";

/// Runs the broker until it is idle or told to stop.
pub fn run(etc: &Path) -> anyhow::Result<()> {
    let listener = activated_listener()?;
    drop_capabilities()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    LocalSet::new().block_on(&runtime, serve(listener, etc))
}

/// The socket that systemd passed.
fn activated_listener() -> anyhow::Result<StdListener> {
    let mut inherited = listenfd::ListenFd::from_env();
    let listener = inherited.take_unix_listener(0).context("taking the socket from systemd")?;
    let Some(listener) = listener else {
        bail!(
            "no socket was passed; the broker is started by podspawn-broker.socket: systemctl start podspawn-broker.socket"
        )
    };
    listener.set_nonblocking(true).context("preparing the socket")?;
    Ok(listener)
}

async fn serve(listener: StdListener, etc: &Path) -> anyhow::Result<()> {
    let listener = UnixListener::from_std(listener).context("listening")?;
    let settings = Live::open(etc).map_err(|errors| misconfigured(&errors))?;
    let config = settings.current();
    let database: PathBuf = config.config.state.db_path.as_path().into();
    let store = Store::open(&database).with_context(|| format!("opening {}", database.display()))?;
    let engine = DockerEngine::new(&config.config.engine.to_string())?;
    let state = database.parent().unwrap_or(Path::new("/")).to_owned();
    let executable = std::env::current_exe().context("finding this executable")?;
    let guest = GuestBinary::new(executable, state.join("guest"));
    let sessions = Sessions::new(engine, store, guest, SOCKETS.into(), Box::new(events::session));
    let bad_rows = sessions.restore(|key| {
        let plan = policy::decide(&config, &key.user, key.project.as_ref());
        let times = &config.config.session;
        plan.map_or(Rules { mode: times.mode, grace_period: times.grace_period, ttl: times.ttl }, |plan| Rules {
            mode: plan.mode,
            grace_period: plan.grace_period,
            ttl: plan.ttl,
        })
    })?;
    for row in bad_rows {
        tracing::error!(event = "state_invalid", session = row.id, "left alone: {row}");
    }
    sessions.tidy();
    let broker = Rc::new(Broker { sessions, settings: RefCell::new(settings) });
    tell(&[NotifyState::Ready, NotifyState::Status(status(&broker))]);
    let result = accept(listener, &broker).await;
    tell(&[NotifyState::Stopping]);
    result
}

fn misconfigured(errors: &[FileError]) -> anyhow::Error {
    for error in errors {
        tracing::error!(event = "config_invalid", "{error}");
    }
    anyhow!("the configuration is invalid; podspawn check-config says where")
}

/// Accepts connections until there is nothing to stay for.
async fn accept(listener: UnixListener, broker: &Rc<Broker<DockerEngine>>) -> anyhow::Result<()> {
    let accounts = Arc::new(Accounts::new());
    let open = Rc::new(RefCell::new(HashMap::<u32, u32>::new()));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watched = watchdog_enabled(false).is_some();
    let mut last_use = Instant::now();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    last_use = Instant::now();
                    admit(stream, broker, &accounts, &open);
                }
                Err(error) => {
                    // Out of descriptors: those who are connected will leave.
                    tracing::error!(event = "accept_failed", "accepting a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = ticks.tick() => {
                if !broker.sessions.is_empty() || !open.borrow().is_empty() {
                    last_use = Instant::now();
                }
                if last_use.elapsed() >= IDLE_EXIT {
                    tracing::info!(event = "idle_exit", "no session for {} s; the next login starts me again", IDLE_EXIT.as_secs());
                    broker.sessions.tidy();
                    return Ok(());
                }
                let mut states = vec![NotifyState::Status(status(broker))];
                if watched {
                    states.push(NotifyState::Watchdog);
                }
                tell(&states);
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// Serves a connection in a task of its own, so that one slow cold start delays nobody else.
fn admit(
    stream: UnixStream,
    broker: &Rc<Broker<DockerEngine>>,
    accounts: &Arc<Accounts>,
    open: &Rc<RefCell<HashMap<u32, u32>>>,
) {
    let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
    // Counted before anything is read: a flood costs an accept and a close.
    let Some(guard) = Counted::new(open, uid) else { return };
    let (broker, accounts) = (Rc::clone(broker), Arc::clone(accounts));
    spawn_local(async move {
        let _guard = guard;
        let Ok(stream) = Stream::try_from(stream) else { return };
        let mut connection = Connection::new(Capped(stream));
        let identified = match connection.peer_credentials().await {
            Ok(credentials) => timeout(LOOKUP, Caller::identify(credentials, &accounts)).await,
            Err(_) => return,
        };
        let caller = match identified {
            Ok(Ok(caller)) => caller,
            Ok(Err(error)) => return events::stranger(uid, &events::chain(&error)),
            Err(_) => return events::stranger(uid, "its account could not be looked up in time"),
        };
        if caller.user.is_none() && !caller.admin {
            events::stranger(uid, "it is not in group podspawn");
        }
        connection::serve(broker, caller, connection).await;
    });
}

/// One open connection, counted by uid until dropped.
struct Counted {
    open: Rc<RefCell<HashMap<u32, u32>>>,
    uid: u32,
}

impl Counted {
    fn new(open: &Rc<RefCell<HashMap<u32, u32>>>, uid: u32) -> Option<Self> {
        let mut counts = open.borrow_mut();
        if counts.values().sum::<u32>() >= MAX_CONNECTIONS {
            return None;
        }
        let count = counts.entry(uid).or_default();
        if *count >= MAX_PER_UID {
            return None;
        }
        *count += 1;
        Some(Self { open: Rc::clone(open), uid })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.open.borrow_mut();
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}

fn status(broker: &Broker<DockerEngine>) -> String {
    let (sessions, connections) = broker.sessions.counts();
    format!("{sessions} sessions, {connections} connections")
}

/// Tells systemd; started otherwise there is nobody to tell.
fn tell(states: &[NotifyState]) {
    if let Err(error) = notify(false, states) {
        tracing::warn!("telling systemd: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_has_a_bounded_number_of_connections() {
        let open = Rc::new(RefCell::new(HashMap::new()));
        let held: Vec<_> = (0..MAX_PER_UID).map(|_| Counted::new(&open, 7).unwrap()).collect();
        assert!(Counted::new(&open, 7).is_none());
        assert!(Counted::new(&open, 8).is_some());
        drop(held);
        assert!(open.borrow().is_empty());
    }
}
