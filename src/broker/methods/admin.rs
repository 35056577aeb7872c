//! `io.podspawn.Admin.Cleanup`, which administrators and the timers call.

use crate::{
    broker::{authorize::Grant, events, reply::Failure, state::Broker},
    domain::chain,
    engine::Engine,
    measure::catalog::{CLEANUPS, SWEPT},
    protocol::varlink::{CleanupParameters, CleanupReply, RemovedInfo, methods::Cleanup},
    session::Removed,
    sys::clock::unix_seconds,
};

impl<E: Engine + 'static> Broker<E> {
    /// One pass over all sessions, containers, networks and directories.
    pub(super) async fn cleanup(
        &self,
        _: Grant<'_, Cleanup>,
        CleanupParameters { dry_run }: CleanupParameters,
    ) -> Result<CleanupReply, Failure> {
        let removed = self.sessions.sweep(dry_run).await.map_err(|error| {
            self.measures.count(&CLEANUPS, "failed");
            events::sweep_failed(&error);
            Failure::unavailable(format!("the pass could not be finished: {}", chain(&error)))
        })?;
        if !dry_run {
            self.measures.count(&CLEANUPS, "ok");
            self.measures.last_cleanup.set(Some(unix_seconds()));
            for one in &removed {
                self.measures.count(&SWEPT, one.kind.as_str());
            }
            events::swept(&removed);
        }
        Ok(CleanupReply { removed: removed.into_iter().map(removed_info).collect() })
    }
}

pub(super) fn removed_info(Removed { kind, name, reason }: Removed) -> RemovedInfo {
    RemovedInfo { kind: kind.as_str().to_owned(), name, reason }
}
