//! The Varlink interface of the broker, as both sides spell it.
//!
//! Descriptors ride along as `SCM_RIGHTS`; a parameter `…Fd` is an index into those of its message, systemd's
//! convention.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Where the broker listens.
pub const SOCKET_PATH: &str = "/run/podspawn/broker.sock";

/// Largest message that the broker reads, in bytes. The largest that is needed is a command of 128 KiB in base64 with a
/// full environment; the broker parses it on its only thread.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Largest reply that a client reads, in bytes: a list of some thousand sessions.
pub const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// `io.podspawn.Sessions.Attach`.
pub const ATTACH: &str = "io.podspawn.Sessions.Attach";
/// `io.podspawn.Sessions.List`.
pub const LIST: &str = "io.podspawn.Sessions.List";

/// `io.podspawn.Sessions.Stop`.
pub const STOP: &str = "io.podspawn.Sessions.Stop";

/// `io.podspawn.Sessions.Ended`.
pub const ENDED: &str = "io.podspawn.Sessions.Ended";

/// How long the answer to [`ENDED`] is waited for. Somebody whose container is gone looks at a terminal meanwhile.
pub const ENDED_TIMEOUT: Duration = Duration::from_secs(3);

/// `io.podspawn.Metrics.Snapshot`.
pub const SNAPSHOT: &str = "io.podspawn.Metrics.Snapshot";

/// `io.podspawn.Admin.Cleanup`.
pub const CLEANUP: &str = "io.podspawn.Admin.Cleanup";

/// The error of a session that does not exist.
pub const NO_SUCH_SESSION: &str = "io.podspawn.Sessions.NoSuchSession";
/// The error that carries a refusal by policy, shown to the user verbatim.
pub const DENIED: &str = "io.podspawn.Sessions.Denied";
/// The error that carries a failure: nothing was decided about the user, trying again may help.
pub const UNAVAILABLE: &str = "io.podspawn.Sessions.Unavailable";

/// Parameters of `Attach`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttachParameters {
    /// For compatibility: refused if it is not the peer's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The project, `None` for the user's own container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The command, base64; `None` for a login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What the client sent and sshd set. The broker keeps only what the interface documents.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// Parameters of the replies to `Attach`: any number of progress reports, then one with a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachReply {
    /// What is being done while the caller waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The session's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The container's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The index of the descriptor that is the channel's socket: always 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_fd: Option<u32>,
}

/// One step of a slow attach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being done, for people: `pulling debian:12`.
    pub step: String,
    /// Bytes done, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Bytes in all, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// One session in the reply to `List`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// The session's id.
    pub session: String,
    /// The login name.
    pub user: String,
    /// The project, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The container's name.
    pub container: String,
    /// `creating`, `running`, `grace` or `destroying`.
    pub status: String,
    /// How many connections are open.
    pub connections: u32,
    /// When the row was written, in seconds since the epoch.
    pub created: i64,
    /// The image.
    pub image: String,
    /// The mode.
    pub mode: String,
    /// How long it exists from its creation, in seconds; absent is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// Since when nobody has been connected, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<i64>,
    /// When it ends by itself if nothing changes, in seconds since the epoch; absent is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<i64>,
}

/// Parameters of the reply to `List`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    /// The sessions that the caller may see, by user and project.
    pub sessions: Vec<SessionInfo>,
}

/// Parameters of `Stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopParameters {
    /// Whose session; `None` is the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The project, `None` for the user's own container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Parameters of `Ended`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedParameters {
    /// The session's id, from the reply to `Attach`.
    pub session: String,
}

/// Parameters of the reply to `Ended`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedReply {
    /// One line for the user; `None` if the session goes on, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Parameters of the reply to `Snapshot`: the sessions that the caller may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReply {
    /// In whatever state.
    pub sessions: u32,
    /// Being created.
    pub creating: u32,
    /// With somebody connected.
    pub running: u32,
    /// With nobody connected.
    pub grace: u32,
    /// Being removed.
    pub destroying: u32,
    /// Open connections.
    pub connections: u32,
    /// Containers of podspawn's that the engine has, running or not; absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<u32>,
    /// Age of the oldest session, in seconds; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<u64>,
}

/// Parameters of `Cleanup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanupParameters {
    /// Only tell.
    #[serde(default)]
    pub dry_run: bool,
}

/// One thing that a pass removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedInfo {
    /// `session`, `container` or `network`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Parameters of the reply to `Cleanup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupReply {
    /// What was removed, in that order.
    pub removed: Vec<RemovedInfo>,
}

/// Parameters of the reply to `Stop`: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Parameters of [`DENIED`] and [`UNAVAILABLE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// One line for the user.
    pub reason: String,
}
