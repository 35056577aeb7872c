//! `io.podspawn.Admin.Cleanup`, which administrators and the timers call.

use crate::{
    broker::{authorize::Grant, reply::Failure, state::Broker},
    domain::chain,
    engine::Engine,
    event::{Event, Subject},
    protocol::varlink::{CleanupParameters, CleanupReply, methods::Cleanup},
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
            Event::CleanupFailed { error: &error }.publish(&Subject::default(), &self.measures);
            Failure::unavailable(format!("the pass could not be finished: {}", chain(&error)))
        })?;
        if !dry_run {
            self.measures.last_cleanup.set(Some(unix_seconds()));
            Event::Cleanup { removed: &removed }.publish(&Subject::default(), &self.measures);
        }
        Ok(CleanupReply { removed })
    }
}
