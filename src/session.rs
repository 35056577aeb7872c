//! Sessions: the containers of users, from the first login to the removal.
//!
//! This module orders the steps and keeps the rules: the row is written before the engine is asked, one session per
//! key, the guest is the truth about connections, the engine about containers. It knows no Varlink, no argv and no
//! file but those of its own session. Single-threaded: between two awaits nothing else runs, so no value changes
//! under a decision.
//!
//! State has one owner each, whose fields no other file writes:
//!
//! | owner | of |
//! |---|---|
//! | `Registry` | the sessions that exist, by their keys |
//! | `Session` | one session: its parts below, its rules and its timer |
//! | `Lifecycle` | the phase of a session, and every transition |
//! | `EngineSide` | container, network, first process |
//! | `GuestSide` | the link to the guest, and the connections |
//! | `Provision` | making and removing container and network |
//! | `Inventory` | which containers and networks of the engine podspawn made |
//! | `AuditQueue`, `Allowance`, `RecentEnds` | what is recorded of sessions |

mod allowance;
mod attach;
mod audit_queue;
mod auditing;
mod create;
mod deadlines;
mod destroy;
mod diagnose;
mod engine_side;
mod engine_watch;
mod error;
mod events;
mod exit_cause;
mod expire;
mod guest_binary;
mod guest_side;
mod home;
mod idle;
mod inspect;
mod inventory;
mod isolation;
mod lifecycle;
mod live_session;
mod provision;
mod pull;
mod recent_ends;
mod recording;
mod registry;
mod restore;
mod spec;
mod subnets;
mod sweep;
mod uids;
mod verify;

pub use attach::{Attached, Request};
pub use auditing::Auditing;
pub use deadlines::Rules;
pub use diagnose::{Diagnosis, UidUse};
pub use error::AttachError;
pub use guest_binary::GuestBinary;
pub use home::HomeError;
pub use uids::HostAccounts;
pub use verify::VerifyError;

use crate::{
    domain::{Cause, ContainerName, Mode, Pool, SessionId, SessionKey, Span, State, UserName},
    engine::{Engine, EngineError, EngineInfo, FoundContainer},
    event::{Event, Subject},
    protocol::varlink::Step,
    store::Store,
    sys::{clock, routes::Route},
};
use allowance::Allowance;
use audit_queue::AuditQueue;
use engine_watch::EngineWatch;
use inventory::Inventory;
use isolation::Isolation;
use registry::Registry;
use std::{cell::RefCell, io, path::PathBuf, rc::Rc};
use tokio::sync::{OnceCell, Semaphore};

/// The limits on sessions, and the resources of the host for another. As configured at the time of the request.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Sessions of one user.
    pub per_user: u32,
    /// Sessions of all users together.
    pub total: u32,
    /// The subnets for networks.
    pub pool: Pool,
    /// Reads the host's routes, whose networks sessions must not take. Called only when a session begins.
    pub routes: fn() -> io::Result<Vec<Route>>,
    /// Access to the host's accounts. Used only when a session begins.
    pub accounts: HostAccounts,
}

/// A session at one moment, for lists and for the log.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its identity.
    pub id: SessionId,
    /// The user and the project.
    pub key: SessionKey,
    /// The container's name at the engine.
    pub container: ContainerName,
    /// The state, as it is stored.
    pub state: State,
    /// Open connections.
    pub connections: usize,
    /// The user's id inside; `None` in a container from before users had ids of their own.
    pub uid: Option<u32>,
    /// When its row was written, in Unix seconds.
    pub created: i64,
    /// The image, as configured when it was created.
    pub image: String,
    /// Its mode.
    pub mode: Mode,
    /// How long it exists at most, from its creation; `None` is without a limit.
    pub lifetime: Option<Span>,
    /// Since when the session has had no connection, in Unix seconds.
    pub abandoned: Option<i64>,
    /// When it ends by itself if nothing changes, in Unix seconds; `None` is never.
    pub ends: Option<i64>,
}

/// Gets every event, with its subject as it is then. Must not block.
pub type Observer = Rc<dyn Fn(&Subject<'_>, &Event<'_>)>;

/// All sessions of this host. Cheap to clone; must be used within a `LocalSet`.
pub struct Sessions<E>(Rc<Inner<E>>);

impl<E> Clone for Sessions<E> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

struct Inner<E> {
    engine: E,
    store: Store,
    guest: GuestBinary,
    /// The directory of the guests' sockets.
    sockets: PathBuf,
    observer: Observer,
    audit_queue: AuditQueue,
    /// How much of the logs each user may still fill.
    allowance: Allowance,
    /// How the engine isolates containers; asked once.
    isolation: OnceCell<Isolation>,
    registry: Registry,
    engine_watch: EngineWatch,
    /// Permits to have the engine remove a session.
    removals: Semaphore,
    /// Why sessions ended, for their users.
    recent_ends: RefCell<recent_ends::RecentEnds>,
}

impl<E: Engine + 'static> Sessions<E> {
    /// No session yet; [`Self::restore`] brings back those of the store.
    #[must_use]
    pub fn new(engine: E, store: Store, guest: GuestBinary, sockets: PathBuf, observer: Observer) -> Self {
        let audit_queue = AuditQueue::new(Rc::clone(&observer));
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
            removals: Semaphore::new(destroy::AT_ONCE),
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
    pub fn list(&self, user: Option<&UserName>) -> Vec<Summary> {
        self.0.registry.list(user)
    }

    /// The engine, its version and its abilities.
    pub async fn engine_info(&self) -> Result<EngineInfo, EngineError> {
        self.0.engine.info().await
    }

    /// The containers that podspawn made, running or not.
    pub async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        self.inventory().containers().await
    }

    fn inventory(&self) -> Inventory<'_, E> {
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

/// Unix seconds.
fn now() -> i64 {
    let now = clock::unix_seconds();
    #[cfg(test)]
    let now = now + tests::clock::SET_BY.get();
    now
}

#[cfg(test)]
mod tests;
