//! Bringing settings, state, engine and sessions together.

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
    settings::{HostVariables, Live},
    store::{Store, StoreError},
    sys::tally::Tally,
};
use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    rc::Rc,
};

/// Where the guests' sockets are. Not the service's runtime directory: that would go when the service stops.
const SOCKETS: &str = "/run/podspawn/guests";

/// Why the broker cannot work yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unready {
    /// For those who want in.
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

/// Reads the settings, opens the state and lets every guest connect. Asks nothing of the engine. What a restore has
/// left half-way is not opened.
pub(super) fn prepare(etc: &Path, log: &LogFile, peers: &Peers) -> Result<Broker<AnyEngine>, Unready> {
    if backup::is_restore_pending(etc) {
        return Err(Unready {
            for_user: "the server's state is being restored; try again later, or ask the administrator",
            for_log: vec![backup::PENDING.to_owned()],
        });
    }
    let settings = Live::open(etc).map_err(|errors| Unready {
        for_user: "the server's configuration is invalid; ask the administrator to run `podspawn check-config`",
        for_log: errors.iter().map(ToString::to_string).collect(),
    })?;
    let current = settings.current();
    // First of all: what goes wrong from here on is to be in it.
    log.write_to(log_path(&current));
    events::log_file(log);
    let config = &current.config;
    let database: PathBuf = config.state.db_path.as_path().into();
    let store = Store::open(&database).map_err(|error| {
        let unready = Unready::state(&error, &database.display().to_string());
        match error {
            StoreError::Full(_) => Unready { for_user: AttachError::DISK_FULL, ..unready },
            _ => unready,
        }
    })?;
    let measures = Rc::new(Measures::default());
    idle_snapshot::take_over(&measures);
    let engine = engine::connect(&config.engine.to_string(), Rc::clone(&measures));
    let engine = engine.map_err(|error| Unready::state(&error, "engine"))?;
    let executable = std::env::current_exe().map_err(|error| Unready::state(&error, "finding this executable"))?;
    let guest = GuestBinary::new(executable, database.with_file_name("guest"));
    let counted = Rc::clone(&measures);
    let observer = Rc::new(move |subject: &Subject<'_>, event: &Event<'_>| event.publish(subject, &counted));
    let sessions = Sessions::new(engine, store, guest, SOCKETS.into(), observer);
    // Before the sessions are restored: that may cause events.
    sessions.audit_to(auditing(&current));
    let times = &config.session;
    let restored = sessions.restore(|key| match policy::decide(&current, &key.user, key.project.as_ref()) {
        Ok(plan) => Rules::of(&plan),
        // A project that is gone from the files: its sessions end as the server's own would.
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
    let mut host = HostVariables::default();
    // Read now, so that no login has to.
    host.current();
    Ok(Broker {
        sessions,
        settings: RefCell::new(settings),
        host: RefCell::new(host),
        log: log.clone(),
        measures,
        gauges: GaugeCache::new(peers.clone(), database),
        last_login: Cell::new(None),
        in_flight: Tally::default(),
    })
}
