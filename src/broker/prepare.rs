//! The start: reads the settings, opens the state, connects the engine and restores the sessions.

use super::{
    events,
    gauges::GaugeCache,
    idle_snapshot,
    peers::Peers,
    state::{Broker, auditing, log_path},
};
use crate::{
    backup,
    domain::chain,
    engine::{self, AnyEngine},
    event::{Event, Subject},
    log::LogFile,
    measure::Measures,
    policy,
    session::{AttachError, GuestBinary, Rules, Sessions},
    settings::{HostVariables, Live, Settings},
    store::{Store, StoreError},
    sys::tally::Tally,
};
use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    rc::Rc,
};

/// The directory of the guests' sockets. Not the service's runtime directory, which systemd removes when the service stops.
const SOCKETS: &str = "/run/podspawn/guests";

/// Why the broker cannot work yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unready {
    /// For users who log in.
    pub(super) for_user: &'static str,
    /// For the administrator, a line each.
    pub(super) for_log: Vec<String>,
}

impl Unready {
    fn state(error: &dyn std::error::Error, what: &str) -> Self {
        Self {
            for_user: "the server cannot read its state; ask the administrator to look at \
                       `journalctl -u podspawn-broker`",
            for_log: vec![format!("{what}: {}", chain(error))],
        }
    }
}

/// Reads the settings, opens the state, restores the sessions and lets their guests connect. Asks nothing of the engine.
/// Refuses a state that an interrupted restore has left.
pub(super) fn prepare(etc: &Path, log: &LogFile, peers: &Peers) -> Result<Broker<AnyEngine>, Unready> {
    let live = open_settings(etc)?;
    let settings = live.current();
    // First of all: later failures belong into this log.
    log.write_to(log_path(&settings));
    events::log_file(log);
    let database: PathBuf = settings.config.state.db_path.as_path().into();
    let store = open_store(&database)?;
    let measures = Rc::new(Measures::default());
    idle_snapshot::take_over(&measures);
    let sessions = open_sessions(&settings, store, database.with_file_name("guest"), &measures)?;
    restore(&sessions, &settings)?;
    let mut host = HostVariables::default();
    // Read now, so that no login has to.
    host.current();
    Ok(Broker {
        sessions,
        settings: RefCell::new(live),
        host: RefCell::new(host),
        log: log.clone(),
        measures,
        gauges: GaugeCache::new(peers.clone(), database),
        last_login: Cell::new(None),
        in_flight: Tally::default(),
    })
}

fn open_settings(etc: &Path) -> Result<Live, Unready> {
    if backup::is_restore_pending(etc) {
        return Err(Unready {
            for_user: "the server's state is being restored; try again later, or ask the administrator",
            for_log: vec![backup::PENDING.to_owned()],
        });
    }
    Live::open(etc).map_err(|errors| Unready {
        for_user: "the server's configuration is invalid; ask the administrator to run `podspawn check-config`",
        for_log: errors.iter().map(ToString::to_string).collect(),
    })
}

fn open_store(database: &Path) -> Result<Store, Unready> {
    Store::open(database).map_err(|error| {
        let unready = Unready::state(&error, &database.display().to_string());
        match error {
            StoreError::Full(_) => Unready { for_user: AttachError::DISK_FULL, ..unready },
            _ => unready,
        }
    })
}

/// Brings engine, store and guests together. `guests` is the directory of the guest's copies of this executable.
fn open_sessions(
    settings: &Settings,
    store: Store,
    guests: PathBuf,
    measures: &Rc<Measures>,
) -> Result<Sessions<AnyEngine>, Unready> {
    let engine = engine::connect(&settings.config.engine.to_string(), Rc::clone(measures));
    let engine = engine.map_err(|error| Unready::state(&error, "engine"))?;
    let executable = std::env::current_exe().map_err(|error| Unready::state(&error, "finding this executable"))?;
    let counted = Rc::clone(measures);
    let observer = Rc::new(move |subject: &Subject<'_>, event: &Event<'_>| event.publish(subject, &counted));
    let guest = GuestBinary::new(executable, guests);
    Ok(Sessions::new(engine, store, guest, SOCKETS.into(), observer))
}

fn restore(sessions: &Sessions<AnyEngine>, settings: &Settings) -> Result<(), Unready> {
    // First: restoring sessions may cause events.
    sessions.audit_to(auditing(settings));
    let times = &settings.config.session;
    let restored = sessions.restore(|key| match policy::decide(settings, &key.user, key.project.as_ref()) {
        Ok(plan) => Rules::of(&plan),
        // A session of a removed project expires by the server's own times.
        Err(_) => Rules {
            mode: times.mode,
            grace_period: times.grace_period,
            lifetime: Some(times.max_lifetime).filter(|span| !span.is_zero()),
            idle_timeout: times.idle_timeout,
        },
    });
    for row in restored.map_err(|error| Unready::state(&error, "restoring sessions"))? {
        events::bad_row(&row);
    }
    sessions.tidy();
    sessions.watch();
    Ok(())
}
