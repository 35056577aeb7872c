//! `io.podspawn.Admin`: what the administrator and the timers ask.

use super::{Answer, Broker, Failure, parse, removed_info, value};
use crate::{
    broker::{authorize::Caller, events},
    engine::Engine,
    measure::catalog::{CLEANUPS, SWEPT},
    protocol::varlink::{CleanupParameters, CleanupReply},
    sys::clock::unix_seconds,
};
use serde_json::Value;

impl<E: Engine + 'static> Broker<E> {
    /// One pass over everything.
    pub(super) async fn cleanup(&self, caller: &Caller, parameters: Value) -> Result<Answer, Failure> {
        let CleanupParameters { dry_run } = parse(parameters)?;
        if !(caller.admin || caller.service) {
            return Err(Failure::permission_denied());
        }
        let removed = self.sessions.sweep(dry_run).await.map_err(|error| {
            self.measures.count(&CLEANUPS, "failed");
            events::sweep_failed(&error);
            Failure::unavailable(format!("the pass could not be finished: {}", events::chain(&error)))
        })?;
        if !dry_run {
            self.measures.count(&CLEANUPS, "ok");
            self.measures.last_cleanup.set(Some(unix_seconds()));
            for one in &removed {
                self.measures.count(&SWEPT, one.kind.as_str());
            }
            events::swept(&removed);
        }
        Ok(value(&CleanupReply { removed: removed.into_iter().map(removed_info).collect() }))
    }
}
