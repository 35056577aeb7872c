//! `io.podspawn.Sessions`: log in, list, stop.

use crate::domain::{ContainerName, Mode, ProjectName, SessionId, SessionKey, State, UserName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parameters of `Attach`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttachParameters {
    /// For compatibility: refused unless it is the peer's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The project, `None` for the user's own container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The command, base64; `None` for a login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The variables that the client sent or sshd set. The broker keeps only those that the interface documents.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// Parameters of the replies to `Attach`: any number of progress reports, then one with a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachReply {
    /// The step that the caller is waiting for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Step>,
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

/// One step of a slow call, while the caller waits. `Progress` in the interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// One line for terminal output: `pulling debian:12`.
    #[serde(rename = "step")]
    pub text: String,
    /// Bytes done, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Bytes in all, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Step {
    /// A step without a number of bytes.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// One session at one moment. `Session` in the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// The session's id.
    #[serde(rename = "session")]
    pub id: SessionId,
    /// The login name.
    pub user: UserName,
    /// The project, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// The container's name.
    pub container: ContainerName,
    /// The state, as it is stored.
    #[serde(rename = "status")]
    pub state: State,
    /// How many connections are open.
    pub connections: u32,
    /// The user's id inside, unique among users; absent for a container made before users had ids of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// When the row was written, in seconds since the epoch.
    pub created: i64,
    /// The image, as configured when the session was created.
    pub image: String,
    /// The mode.
    pub mode: Mode,
    /// How long it exists from its creation, in seconds; absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// When the last connection ended, in seconds since the epoch; absent while one is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<i64>,
    /// When it will expire if nothing changes, in seconds since the epoch; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<i64>,
}

impl SessionInfo {
    /// The user and the project.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey { user: self.user.clone(), project: self.project.clone() }
    }
}

/// Parameters of `List` and `Snapshot`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Report the sessions of the caller's own account alone, whatever else it may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
}

impl Own {
    /// The caller's own sessions alone.
    pub const ONLY: Self = Self { own: Some(true) };

    /// Whether the caller asks for its own sessions alone.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.own == Some(true)
    }
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
    /// The session's user; `None` is the caller's own account.
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
    /// One line for the user; `None` if the session goes on or the reason is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
