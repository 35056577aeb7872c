//! The Varlink interface of the broker, as both sides spell it.
//!
//! Descriptors ride along as `SCM_RIGHTS`; a parameter `…Fd` is an index into those of its message, systemd's
//! convention.

use super::examination::Facts;
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

/// `io.podspawn.Admin.VerifyImage`.
pub const VERIFY_IMAGE: &str = "io.podspawn.Admin.VerifyImage";

/// `io.podspawn.Admin.Diagnose`.
pub const DIAGNOSE: &str = "io.podspawn.Admin.Diagnose";

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
    /// The user's id inside, which no other user has; absent for a container from before users had ids of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
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

/// The parameter of `List` and `Snapshot` that asks for the caller's own sessions alone.
pub const OWN: &str = "own";

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

/// What the engine is, in the reply to `Diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EngineReply {
    /// Its version.
    pub version: String,
    /// As `docker info` lists them.
    pub security_options: Vec<String>,
    /// Its OCI runtimes.
    pub runtimes: Vec<String>,
    /// The one that it takes when none is named.
    pub default_runtime: String,
    /// The versions of what it is made of, by name.
    pub components: BTreeMap<String, String>,
    /// Where it keeps images and containers.
    pub data_root: String,
    /// Whether containers outlive its restart.
    pub live_restore: bool,
    /// Whether a limit of memory holds; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<bool>,
    /// Whether a limit of processes holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<bool>,
    /// Whether a limit of processors holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<bool>,
    /// What it warns of itself.
    pub warnings: Vec<String>,
}

/// An image that somebody would get, in the reply to `Diagnose`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// The image.
    pub image: String,
    /// Who gets it: `everybody`, a user or a project.
    pub of: String,
    /// Whether the engine has it; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// How much of `network.pool` is left, in the reply to `Diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolInfo {
    /// The pool.
    pub network: String,
    /// Its subnets.
    pub subnets: u32,
    /// Those that no session can have for the host's routes.
    pub routed: u32,
    /// Those that sessions have.
    pub used: u32,
}

/// Parameters of the reply to `Diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiagnoseReply {
    /// The broker's version.
    pub version: String,
    /// What is wrong with the configuration's files, a line each; the broker goes on with the last good ones.
    pub problems: Vec<String>,
    /// What the engine is; absent if it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineReply>,
    /// Why it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_error: Option<String>,
    /// The images that somebody would get, at most some hundred.
    pub images: Vec<ImageInfo>,
    /// What belongs to no session; absent if the engine does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans: Option<Vec<RemovedInfo>>,
    /// Containers and networks that carry podspawn's label and that podspawn did not make, a line each.
    #[serde(default)]
    pub foreign: Vec<String>,
    /// The pool of networks; absent if no session can have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolInfo>,
    /// Why no session can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_error: Option<String>,
    /// Sessions whose container should run.
    pub running: u32,
    /// Those of them whose guest does not speak.
    pub silent: Vec<String>,
    /// How many users have an id of their own inside containers.
    pub uids: u32,
    /// Whether another user could have one.
    pub has_free_uid: bool,
    /// Sessions whose container is from before users had ids of their own, by user and project.
    pub shared_uids: Vec<String>,
    /// Sessions whose user's id an account of the host has got.
    pub uid_conflicts: Vec<UidConflict>,
    /// Why the log file is not written, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
    /// Why the audit log is not written, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_error: Option<String>,
    /// Why the broker cannot write to `homes_dir`, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homes_error: Option<String>,
    /// When the newest session was made, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<i64>,
}

/// A user's id inside a container that is somebody else's on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidConflict {
    /// The session, as `user` or `user@project`.
    pub session: String,
    /// The id.
    pub uid: u32,
    /// What it is on the host, as words that follow "is".
    pub holder: String,
}

/// Parameters of `VerifyImage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyImageParameters {
    /// The image, as the engine names it.
    pub image: String,
}

/// Parameters of the replies to `VerifyImage`: any number of progress reports, then one with facts or a problem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyImageReply {
    /// What is being done while the caller waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The shell that logins prefer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// What the image has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Why a container of it does not even start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
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
