//! One sweep over all sessions and over what the engine has: what is due, then what is orphaned.
//!
//! Timers end sessions by themselves; the sweep is for what they cannot know: a clock that was set, a database that
//! was restored, containers that a crash or an older version left.

use super::{Sessions, clock::now, deadlines::Due, expire};
use crate::{
    domain::{Cause, Removed, RemovedKind, SessionId},
    engine::{Engine, EngineError, FoundContainer},
    event::{Event, Subject},
    link::Link,
    sys::crash,
};
use std::fs;

const ORPHANED: &str = "it belongs to no session";

impl<E: Engine + 'static> Sessions<E> {
    /// Ends every session that is due, inspects each container, and removes containers, networks and socket directories of
    /// ours that belong to no session. With `dry_run` it only returns what it would remove.
    ///
    /// What is being created is never touched: its row, and with it its place in the registry, comes first. An
    /// engine that does not answer is an error, and nothing is concluded from it.
    pub async fn sweep(&self, dry_run: bool) -> Result<Vec<Removed>, EngineError> {
        let sweep = Sweep { sessions: self, dry_run };
        let mut removed = sweep.due();
        removed.extend(sweep.beside_due().await?);
        if !dry_run && !removed.is_empty() {
            self.audit(&Subject::default(), Event::Cleanup { removed: &removed });
        }
        Ok(removed)
    }

    /// What a sweep would remove beside sessions that are due.
    pub(super) async fn orphans(&self) -> Result<Vec<Removed>, EngineError> {
        Sweep { sessions: self, dry_run: true }.beside_due().await
    }

    fn record_orphan(&self, found: &FoundContainer, reason: &str) {
        let subject = Subject {
            user: found.user.as_ref().map(AsRef::as_ref),
            session: found.session.as_ref().map(AsRef::as_ref),
            container: found.name.as_ref().map(AsRef::as_ref),
            container_id: Some(found.id.as_ref()),
            ..Subject::default()
        };
        self.audit(&subject, Event::ContainerDestroy { cause: None, reason });
    }
}

/// One sweep.
struct Sweep<'a, E> {
    sessions: &'a Sessions<E>,
    /// Only find what would be removed.
    dry_run: bool,
}

impl<E: Engine + 'static> Sweep<'_, E> {
    /// Sessions that the timers should have ended: abandoned ones first, then those that have reached their lifetime.
    fn due(&self) -> Vec<Removed> {
        let mut removed: Vec<Removed> = Vec::new();
        for due in [Due::Grace, Due::Lifetime] {
            for session in self.sessions.0.registry.running() {
                let name = session.key.to_string();
                if removed.iter().any(|one| one.name == name) {
                    continue;
                }
                let Some(at) = session.deadlines().past(due, now()) else { continue };
                if !self.dry_run {
                    crash::point("sweep.due-found");
                }
                let Some(reason) = expire::reason(&session, due, at) else { continue };
                if !self.dry_run {
                    let cause = if due == Due::Grace { Cause::GracePeriod } else { Cause::Lifetime };
                    self.sessions.terminate(&session, cause, reason.clone());
                }
                removed.push(Removed { kind: RemovedKind::Session, name, reason });
            }
        }
        removed
    }

    async fn beside_due(&self) -> Result<Vec<Removed>, EngineError> {
        let mut removed = self.dead().await?;
        removed.extend(self.containers().await?);
        removed.extend(self.networks().await?);
        // They take little space: the next sweep is early enough.
        if !self.dry_run
            && let Err(error) = self.sessions.0.engine.prune_volumes().await
        {
            tracing::debug!(%error, "removing volumes of terminals");
        }
        removed.extend(self.directories());
        Ok(removed)
    }

    /// Sessions whose container the engine no longer runs. Usually the broken link to the guest shows that first.
    async fn dead(&self) -> Result<Vec<Removed>, EngineError> {
        let mut removed = Vec::new();
        for session in self.sessions.0.registry.running() {
            // It may have ended while the engine was busy with another.
            if !session.is_running() {
                continue;
            }
            let Some(exit) = self.sessions.exit_cause(&session).await? else { continue };
            if !self.dry_run {
                self.sessions.destroy_dead(&session, exit);
            }
            let (name, reason) = (session.key.to_string(), exit.to_string());
            removed.push(Removed { kind: RemovedKind::Session, name, reason });
        }
        Ok(removed)
    }

    async fn containers(&self) -> Result<Vec<Removed>, EngineError> {
        let mut removed = Vec::new();
        for found in self.sessions.inventory().containers().await? {
            // Asked anew for each: a session may have begun while the engine was busy.
            if self.is_owned(found.session.as_ref()) {
                continue;
            }
            if !self.dry_run {
                self.sessions.record_orphan(&found, ORPHANED);
                self.sessions.0.engine.remove_container(&found.id).await?;
                crash::point("sweep.container-removed");
            }
            let name = found.name.map_or_else(|| found.id.short().to_owned(), |name| name.to_string());
            removed.push(orphan(RemovedKind::Container, name));
        }
        Ok(removed)
    }

    async fn networks(&self) -> Result<Vec<Removed>, EngineError> {
        let mut removed = Vec::new();
        for found in self.sessions.inventory().networks().await? {
            if self.is_owned(found.session.as_ref()) {
                continue;
            }
            if !self.dry_run {
                match self.sessions.0.engine.remove_network(&found.id).await {
                    // It contains a container that podspawn did not make.
                    Err(EngineError::NetworkInUse) => continue,
                    result => result?,
                }
                crash::point("sweep.network-removed");
            }
            removed.push(orphan(RemovedKind::Network, found.name));
        }
        Ok(removed)
    }

    /// Socket directories that a crash left, or of containers that a restored database did not know. Only after the
    /// orphaned containers: one that runs has its directory mounted.
    fn directories(&self) -> Vec<Removed> {
        let sockets = &self.sessions.0.sockets;
        let Ok(entries) = fs::read_dir(sockets) else { return Vec::new() };
        // A name that is no id is not ours to remove.
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<SessionId>().ok());
        let mut removed = Vec::new();
        for id in ids.filter(|id| !self.is_owned(Some(id))) {
            if !self.dry_run {
                if let Err(error) = Link::remove_directory(sockets, &id) {
                    tracing::debug!(%error, session = %id, "removing an orphaned socket directory");
                    continue;
                }
                crash::point("sweep.directory-removed");
            }
            removed.push(orphan(RemovedKind::Directory, id.to_string()));
        }
        removed
    }

    fn is_owned(&self, id: Option<&SessionId>) -> bool {
        id.is_some_and(|id| self.sessions.0.registry.is_in_use(id))
    }
}

fn orphan(kind: RemovedKind, name: String) -> Removed {
    Removed { kind, name, reason: ORPHANED.to_owned() }
}
