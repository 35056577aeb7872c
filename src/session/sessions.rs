//! All sessions of this host, with their shared state.
//!
//! Operations on them are further `impl` blocks, in files named by the operation: `attach`, `create`, `destroy`, `expire`,
//! `recording` and others.

use super::{
    GuestBinary, allowance::Allowance, audit_queue::AuditQueue, engine_watch::EngineWatch, inventory::Inventory,
    isolation::Isolation, recent_ends::RecentEnds, registry::Registry,
};
use crate::{
    domain::{Cause, SessionKey, UserName},
    engine::{Engine, EngineError, EngineInfo, FoundContainer},
    event::Observer,
    protocol::varlink::SessionInfo,
    store::Store,
};
use std::{cell::RefCell, path::PathBuf, rc::Rc};
use tokio::sync::{OnceCell, Semaphore};

/// Most sessions whose container and network the engine removes at once. It removes networks one after the other (about
/// 200 ms each), and containers side by side. Given all of a hundred at once it removes the containers of all of them
/// first, and no session is gone until then; with a few, a network is removed while the next containers are.
const REMOVALS_AT_ONCE: usize = 4;

/// All sessions of this host. Cheap to clone; must be used within a `LocalSet`.
pub struct Sessions<E>(pub(super) Rc<Inner<E>>);

impl<E> Clone for Sessions<E> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// The shared state.
pub(super) struct Inner<E> {
    pub(super) engine: E,
    pub(super) store: Store,
    pub(super) guest: GuestBinary,
    /// The directory of the guests' sockets.
    pub(super) sockets: PathBuf,
    pub(super) observer: Observer,
    pub(super) audit_queue: RefCell<AuditQueue>,
    /// How much of the logs each user may still fill.
    pub(super) allowance: Allowance,
    /// How the engine isolates containers; asked once.
    pub(super) isolation: OnceCell<Isolation>,
    pub(super) registry: Registry,
    pub(super) engine_watch: EngineWatch,
    /// Permits to have the engine remove a session.
    pub(super) removals: Semaphore,
    /// Why sessions ended, for their users.
    pub(super) recent_ends: RefCell<RecentEnds>,
}

impl<E: Engine + 'static> Sessions<E> {
    /// No session yet; [`Self::restore`] brings back those of the store.
    #[must_use]
    pub fn new(engine: E, store: Store, guest: GuestBinary, sockets: PathBuf, observer: Observer) -> Self {
        let audit_queue = RefCell::new(AuditQueue::new(Rc::clone(&observer)));
        Self(Rc::new(Inner {
            engine,
            store,
            guest,
            sockets,
            observer,
            audit_queue,
            allowance: Allowance::default(),
            isolation: OnceCell::new(),
            registry: Registry::default(),
            engine_watch: EngineWatch::default(),
            removals: Semaphore::new(REMOVALS_AT_ONCE),
            recent_ends: RefCell::default(),
        }))
    }

    /// Whether no session exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.registry.is_empty()
    }

    /// How many sessions exist, and how many connections.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.0.registry.counts()
    }

    /// The sessions of `user`, or of all users, by user and project.
    #[must_use]
    pub fn list(&self, user: Option<&UserName>) -> Vec<SessionInfo> {
        self.0.registry.list(user)
    }

    /// The engine, its version and its abilities.
    pub async fn engine_info(&self) -> Result<EngineInfo, EngineError> {
        self.0.engine.info().await
    }

    /// How the engine isolates containers; `None` if it does not answer.
    pub(super) async fn isolation(&self) -> Option<Isolation> {
        let ask = || async { Ok::<_, EngineError>(Isolation::from(self.0.engine.info().await?)) };
        self.0.isolation.get_or_try_init(ask).await.ok().copied()
    }

    /// The containers that podspawn made, running or not.
    pub async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        self.inventory().containers().await
    }

    pub(super) fn inventory(&self) -> Inventory<'_, E> {
        Inventory { engine: &self.0.engine, registry: &self.0.registry, sockets: &self.0.sockets }
    }

    /// How many containers of ours the engine has, running or not: those of `user`, or of all users.
    pub async fn count_containers(&self, user: Option<&UserName>) -> Result<usize, EngineError> {
        let found = self.containers().await?;
        Ok(found.iter().filter(|one| user.is_none_or(|user| one.user.as_ref() == Some(user))).count())
    }

    /// Terminates the running session of `key`; false if there is none. Returns before it is gone.
    #[must_use]
    pub fn stop(&self, key: &SessionKey, reason: String) -> bool {
        match self.0.registry.find(key) {
            Some(session) if session.is_running() => {
                self.terminate(&session, Cause::Stopped, reason);
                true
            }
            // It is being removed already, or is being created for a client that waits.
            _ => false,
        }
    }

    /// Removes unused files that the last run left in the state directory. Only without sessions.
    pub fn tidy(&self) {
        if self.is_empty() {
            self.0.guest.remove_others();
        }
    }
}
