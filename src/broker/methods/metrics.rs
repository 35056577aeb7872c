//! `io.podspawn.Metrics`: numbers of sessions, and all measurements.

use crate::{
    broker::{
        authorize::Grant,
        reply::Failure,
        snapshot::{count, number},
        state::Broker,
    },
    engine::Engine,
    protocol::{
        measurements::MeasurementsReply,
        varlink::{
            Own, SnapshotReply,
            methods::{Measurements, Snapshot},
        },
    },
    sys::clock::unix_seconds,
};
use std::time::Duration;
use tokio::time::timeout;

/// How long the engine may take for its list of containers. After that their number is unknown.
const ENGINE: Duration = Duration::from_secs(3);

impl<E: Engine + 'static> Broker<E> {
    /// The current numbers of sessions.
    pub(super) async fn snapshot(&self, grant: Grant<'_, Snapshot>, own: Own) -> Result<SnapshotReply, Failure> {
        let user = grant.sessions_of(own.is_set())?;
        let containers = timeout(ENGINE, self.sessions.count_containers(user)).await;
        let mut reply = count(&self.sessions.list(user), unix_seconds());
        // An engine that does not answer may have any number.
        reply.containers = containers.ok().and_then(Result::ok).map(number);
        Ok(reply)
    }

    /// All measurements.
    pub(super) async fn measurements(&self, _: Grant<'_, Measurements>) -> MeasurementsReply {
        MeasurementsReply { families: self.measure(ENGINE).await, resting: false }
    }
}
