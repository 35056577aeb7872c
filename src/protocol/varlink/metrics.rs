//! `io.podspawn.Metrics`: numbers of sessions. The reply to `Measurements` is in [`crate::protocol::measurements`].

use serde::{Deserialize, Serialize};

/// Parameters of the reply to `Snapshot`: the sessions that the caller may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReply {
    /// In any state.
    pub sessions: u32,
    /// Being created.
    pub creating: u32,
    /// With an open connection.
    pub running: u32,
    /// Without a connection.
    pub grace: u32,
    /// Being removed.
    pub destroying: u32,
    /// Open connections.
    pub connections: u32,
    /// Containers with podspawn's label, running or not; absent if the engine does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<u32>,
    /// Age of the oldest session, in seconds; absent without a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<u64>,
}
