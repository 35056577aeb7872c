//! What every connection of the broker works with.

use super::{events, gauges::GaugeCache, idle_snapshot};
use crate::{
    accounts::{Accounts, uids},
    config::AbsolutePath,
    engine::Engine,
    log::LogFile,
    measure::Measures,
    protocol::measurements::Family,
    session::{Auditing, Capacity, HostAccounts, Sessions},
    settings::{HostVariables, Live, Refreshed, Settings},
    sys::{routes, tally::Tally},
};
use std::{
    cell::{Cell, RefCell},
    path::Path,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long the engine may take for the last measurements. A login that arrives meanwhile waits for it.
const LAST_ENGINE: Duration = Duration::from_secs(1);

/// The broker's state: sessions, settings, logs and measurements.
pub(super) struct Broker<E> {
    pub(super) sessions: Sessions<E>,
    pub(super) settings: RefCell<Live>,
    pub(super) host: RefCell<HostVariables>,
    pub(super) log: LogFile,
    pub(super) measures: Rc<Measures>,
    pub(super) gauges: GaugeCache,
    /// The time of the last call of Attach. The broker exits when it has been idle for long enough since.
    pub(super) last_login: Cell<Option<Instant>>,
    /// Calls whose reply is not written yet.
    pub(super) in_flight: Tally,
}

impl<E: Engine + 'static> Broker<E> {
    /// Reads the settings again and reopens both logs, on SIGHUP.
    pub(super) fn reload(&self) {
        let refreshed = self.settings.borrow_mut().refresh();
        events::settings(&refreshed);
        self.log.reopen();
        self.apply_log_paths(&self.settings.borrow().current());
    }

    /// The current settings, after `refresh` has read changed files.
    pub(super) fn settings_after(&self, refresh: impl FnOnce(&mut Live) -> Refreshed) -> Arc<Settings> {
        let refreshed = refresh(&mut self.settings.borrow_mut());
        events::settings(&refreshed);
        let settings = self.settings.borrow().current();
        if refreshed == Refreshed::Reloaded {
            self.apply_log_paths(&settings);
        }
        settings
    }

    /// All measurements. Each question to the engine may take `patience`.
    pub(super) async fn measure(&self, patience: Duration) -> Vec<Family> {
        let mut families = self.gauges.read(&self.sessions, &self.settings, patience).await;
        families.extend(self.measures.families());
        families
    }

    /// Closes the audit log and leaves the last measurements. A broker that is stopped while sessions exist leaves its
    /// counters alone: the next broker starts soon and measures the rest itself.
    pub(super) async fn shut_down(&self) {
        self.sessions.close_audit();
        let is_idle = self.sessions.is_empty();
        let families = if is_idle { self.measure(LAST_ENGINE).await } else { self.measures.families() };
        idle_snapshot::leave(families, is_idle);
    }

    /// Opens the logs at the paths of the settings.
    fn apply_log_paths(&self, settings: &Settings) {
        self.log.write_to(log_path(settings));
        events::log_file(&self.log);
        self.sessions.audit_to(auditing(settings));
    }
}

/// The path of the audit log, and whether it is required.
pub(super) fn auditing(settings: &Settings) -> Option<Auditing> {
    let log = &settings.config.log;
    log.audit_log.as_ref().map(|path| Auditing { path: path.as_path().into(), required: log.audit_required })
}

/// The path of the log file.
pub(super) fn log_path(settings: &Settings) -> Option<&Path> {
    settings.config.log.file.as_ref().map(AbsolutePath::as_path)
}

/// The limits of sessions, and the pool of their networks.
pub(super) fn capacity(settings: &Settings) -> Capacity {
    let resources = &settings.config.resources;
    Capacity {
        per_user: resources.max_per_user,
        total: resources.max_containers,
        pool: settings.config.network,
        routes: routes::list,
        accounts: HostAccounts { allot: uids::allot, holder: uids::holder, has: |user| Accounts::new().has(user) },
    }
}
