//! One pass over everything: what is due, then what belongs to nobody.
//!
//! Timers do the first by themselves; the pass is for what they could not know: a clock that was set, a database that
//! was restored, containers that a crash or an older version left.

use super::{Cause, Sessions, deadlines::Due, expire, now};
use crate::{
    audit::{self, Subject, What},
    domain::SessionId,
    engine::{Engine, EngineError},
    sys::crash,
};

/// What a pass removed, or would remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What it is.
    pub kind: Kind,
    /// Its name: of a session the user and project, of the others what the engine calls it.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a pass removes, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A session with its container and network.
    Session,
    /// A container that podspawn made and that has no session.
    Container,
    /// A network that podspawn made and that has no session.
    Network,
    /// A socket directory that has no session.
    Directory,
}

impl Kind {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Container => "container",
            Self::Network => "network",
            Self::Directory => "directory",
        }
    }
}

impl<E: Engine + 'static> Sessions<E> {
    /// Ends every session that is due, looks whether each container still runs, and removes containers and networks
    /// of ours that belong to no session. With `dry_run` it only tells.
    ///
    /// What is being created is never touched: its row, and with it its place among the sessions, comes first. An
    /// engine that does not answer is an error, and nothing is concluded from it.
    pub async fn sweep(&self, dry_run: bool) -> Result<Vec<Removed>, EngineError> {
        let mut removed = self.sweep_due(dry_run);
        removed.extend(self.sweep_dead(dry_run).await?);
        removed.extend(self.sweep_orphans(dry_run).await?);
        removed.extend(self.sweep_directories(dry_run));
        if !dry_run && !removed.is_empty() {
            let told = removed.iter().map(|one| audit::Removed {
                kind: one.kind.as_str(),
                name: &one.name,
                reason: &one.reason,
            });
            self.audit(&Subject::default(), What::Cleanup { removed: told.collect() });
        }
        Ok(removed)
    }

    /// Sessions that the timers should have ended: abandoned ones first, then those that are too old.
    fn sweep_due(&self, dry_run: bool) -> Vec<Removed> {
        let mut removed: Vec<Removed> = Vec::new();
        for due in [Due::Grace, Due::Lifetime] {
            let sessions: Vec<_> = self.0.live.borrow().values().filter(|one| one.is_running()).cloned().collect();
            for session in sessions {
                let name = session.key.to_string();
                let Some(at) =
                    session.deadlines().past(due, now()).filter(|_| removed.iter().all(|one| one.name != name))
                else {
                    continue;
                };
                if !dry_run {
                    crash::point("sweep.due-found");
                }
                let Some(reason) = expire::reason(&session, due, at) else { continue };
                if !dry_run {
                    // Whoever is connected in spite of a lifetime that is over is told and hung up first.
                    let cause = if due == Due::Grace { Cause::GracePeriod } else { Cause::Lifetime };
                    self.terminate(&session, cause, reason.clone());
                }
                removed.push(Removed { kind: Kind::Session, name, reason });
            }
        }
        removed
    }

    /// Sessions whose container the engine no longer runs. The broken connection of their guest tells first, usually.
    async fn sweep_dead(&self, dry_run: bool) -> Result<Vec<Removed>, EngineError> {
        let sessions: Vec<_> = self.0.live.borrow().values().cloned().collect();
        let mut removed = Vec::new();
        for session in sessions.into_iter().filter(|session| session.is_running()) {
            let Some(ending) = self.ending(&session).await? else { continue };
            if !dry_run {
                self.destroy_dead(&session, ending);
            }
            let (name, reason) = (session.key.to_string(), ending.to_string());
            removed.push(Removed { kind: Kind::Session, name, reason });
        }
        Ok(removed)
    }

    /// What a pass would remove beside sessions that are due: sessions whose container ended, and what belongs to none.
    pub(super) async fn orphans(&self) -> Result<Vec<Removed>, EngineError> {
        let mut found = self.sweep_dead(true).await?;
        found.extend(self.sweep_orphans(true).await?);
        found.extend(self.sweep_directories(true));
        Ok(found)
    }

    async fn sweep_orphans(&self, dry_run: bool) -> Result<Vec<Removed>, EngineError> {
        let mut removed = Vec::new();
        let reason = || "it belongs to no session".to_owned();
        for found in self.containers().await? {
            // Asked anew for each: a session may have begun while the engine was busy.
            if self.owns(found.session.as_ref()) {
                continue;
            }
            if !dry_run {
                let subject = Subject {
                    user: found.user.as_ref().map(AsRef::as_ref),
                    session: found.session.as_ref().map(AsRef::as_ref),
                    container: found.name.as_ref().map(AsRef::as_ref),
                    container_id: Some(found.id.as_ref()),
                    ..Subject::default()
                };
                self.audit(&subject, What::ContainerDestroy { reason: "it belongs to no session" });
                self.0.engine.remove_container(&found.id).await?;
                crash::point("sweep.container-removed");
            }
            let name = found.name.map_or_else(|| found.id.short().to_owned(), |name| name.to_string());
            removed.push(Removed { kind: Kind::Container, name, reason: reason() });
        }
        for found in self.networks().await? {
            if self.owns(found.session.as_ref()) {
                continue;
            }
            if !dry_run {
                match self.0.engine.remove_network(&found.id).await {
                    // Somebody has put a container of their own into it.
                    Err(EngineError::NetworkInUse) => continue,
                    result => result?,
                }
                crash::point("sweep.network-removed");
            }
            removed.push(Removed { kind: Kind::Network, name: found.name, reason: reason() });
        }
        // They take no room to speak of: the next pass is early enough.
        if !dry_run && let Err(error) = self.0.engine.prune_volumes().await {
            tracing::debug!(%error, "removing volumes of terminals");
        }
        Ok(removed)
    }

    fn owns(&self, id: Option<&SessionId>) -> bool {
        id.is_some_and(|id| self.is_in_use(id))
    }
}
