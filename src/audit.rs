//! The audit log: who came, what was run, what was made and removed, one JSON object a line.
//!
//! Events become lines here and lines get into the file; what is written when, and what follows if it cannot be, is
//! decided by whoever acts. Every line begins with its number, by which a line that may have been lost is looked for.

mod file;
mod run;
mod text;

pub use file::{AuditError, AuditFile, Place};
pub use run::{Run, beginning};

use crate::domain::{ChannelId, ContainerId, ContainerName, Outcome, SessionId, SessionKey, UserName};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What every line begins with.
const NUMBER: &str = "{\"seq\":";

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    /// RFC 3339 in UTC, to the microsecond.
    #[serde(rename = "timestamp", serialize_with = "utc")]
    pub at: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What<'a>,
    /// Whom it is about.
    #[serde(flatten)]
    pub subject: &'a Subject<'a>,
}

/// Whom an event is about; what is not known is absent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Subject<'a> {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The project, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<&'a str>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<&'a str>,
    /// The container's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'a str>,
    /// The engine's id of the container, once it has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// A user, and perhaps a project, without a session.
    #[must_use]
    pub fn user(user: &'a UserName, project: Option<&'a str>) -> Self {
        Self { user: Some(user.as_ref()), project, ..Self::default() }
    }

    /// A session.
    #[must_use]
    pub fn session(
        key: &'a SessionKey,
        id: &'a SessionId,
        container: &'a ContainerName,
        container_id: Option<&'a ContainerId>,
    ) -> Self {
        Self {
            user: Some(key.user.as_ref()),
            project: key.project.as_ref().map(AsRef::as_ref),
            session: Some(id.as_ref()),
            container: Some(container.as_ref()),
            container_id: container_id.map(AsRef::as_ref),
        }
    }
}

/// What happened, and what that adds.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What<'a> {
    /// Somebody is let in; written before the process is started.
    Connect {
        /// The connection, in the events of its end.
        #[serde(serialize_with = "hexadecimal")]
        channel: ChannelId,
        /// What is run.
        #[serde(flatten)]
        run: Run,
    },
    /// A connection is over.
    Disconnect {
        /// Which.
        #[serde(serialize_with = "hexadecimal")]
        channel: ChannelId,
        /// Why, where it was not the process or the client.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        /// How the process ended; neither is there if the client went first.
        #[serde(flatten)]
        end: End,
        /// Connections that the session still has.
        remaining: usize,
    },
    /// How a command or a transfer ended. Its text is in the `connect` event of the same channel, and only there.
    Command {
        /// The connection.
        #[serde(serialize_with = "hexadecimal")]
        channel: ChannelId,
        /// `command` or `sftp`.
        kind: &'a str,
        /// How it ended; neither is there if the client went first.
        #[serde(flatten)]
        end: End,
    },
    /// A container is about to be made.
    ContainerCreate {
        /// Of what.
        image: &'a str,
        /// What happens after the last disconnect.
        mode: &'a str,
    },
    /// A container is about to be removed.
    ContainerDestroy {
        /// Why.
        reason: &'a str,
    },
    /// Somebody was refused.
    PolicyDeny {
        /// The kernel's word, where the peer was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
        /// Why.
        reason: &'a str,
    },
    /// Events that were counted instead of written.
    NotWritten {
        /// How many, by their names. A `connect` that was not written stands for its `command` and `disconnect` too.
        counts: &'a BTreeMap<&'static str, u64>,
        /// When the first of them happened.
        #[serde(serialize_with = "utc")]
        since: jiff::Timestamp,
        /// Why.
        reason: &'a str,
    },
    /// A pass removed something.
    Cleanup {
        /// What, and why.
        removed: Vec<Removed<'a>>,
    },
}

impl What<'_> {
    /// The event's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Disconnect { .. } => "disconnect",
            Self::Command { .. } => "command",
            Self::ContainerCreate { .. } => "container_create",
            Self::ContainerDestroy { .. } => "container_destroy",
            Self::PolicyDeny { .. } => "policy_deny",
            Self::NotWritten { .. } => "not_written",
            Self::Cleanup { .. } => "cleanup",
        }
    }
}

/// One thing that a pass removed.
#[derive(Debug, Clone, Serialize)]
pub struct Removed<'a> {
    /// `session`, `container` or `network`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct End {
    /// Its exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The number of the signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}

impl From<Option<Outcome>> for End {
    fn from(outcome: Option<Outcome>) -> Self {
        match outcome {
            Some(Outcome::Exited(code)) => Self { exit_code: Some(code), signal: None },
            Some(Outcome::Killed(signal)) => Self { exit_code: None, signal: Some(signal) },
            None => Self::default(),
        }
    }
}

impl Event<'_> {
    /// The line for the file, with its newline.
    #[must_use]
    pub fn line(&self, number: u64) -> String {
        let rest = text::object(self);
        format!("{NUMBER}{number},{}\n", rest.strip_prefix('{').unwrap_or(&rest))
    }
}

/// The number of a line of [`Event::line`], from its beginning.
fn number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(NUMBER.as_bytes())?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// As text: jq reads numbers as floating point, in which 64 bits do not fit.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn hexadecimal<S: Serializer>(channel: &ChannelId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:016x}", channel.0))
}

fn utc<S: Serializer>(at: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: What<'_>, subject: &Subject<'_>) -> String {
        Event { at: "2026-01-02T03:04:05.6Z".parse().unwrap(), what, subject }.line(7)
    }

    #[test]
    fn a_line_is_one_object_that_begins_with_its_number() {
        let (key, id) = (SessionKey { user: "alice".parse().unwrap(), project: None }, SessionId::from_bits(1));
        let name = ContainerName::of(&key);
        let subject = Subject::session(&key, &id, &name, None);
        let text = line(What::Connect { channel: ChannelId(5), run: Run::command(b"ls\n\"x\"") }, &subject);
        assert_eq!(
            text,
            "{\"seq\":7,\"timestamp\":\"2026-01-02T03:04:05.600000Z\",\"event\":\"connect\",\"channel\":\"0000000000000005\",\
             \"kind\":\"command\",\"command\":\"ls\\n\\\"x\\\"\",\"user\":\"alice\",\
             \"session\":\"0000000000000001\",\"container\":\"podspawn-alice\"}\n"
        );
        assert_eq!(number(text.as_bytes()), Some(7));
        assert_eq!(number(b"{\"seq\":x,"), None);
    }
    #[test]
    fn an_event_has_the_name_that_its_line_has() {
        let counts = [("connect", 2)].into();
        let events = [
            What::Connect { channel: ChannelId(1), run: Run::shell() },
            What::Disconnect { channel: ChannelId(1), reason: None, end: End::default(), remaining: 0 },
            What::Command { channel: ChannelId(1), kind: "sftp", end: End::default() },
            What::ContainerCreate { image: "x", mode: "ttl" },
            What::ContainerDestroy { reason: "x" },
            What::PolicyDeny { uid: None, reason: "x" },
            What::NotWritten { counts: &counts, since: jiff::Timestamp::default(), reason: "x" },
            What::Cleanup { removed: Vec::new() },
        ];
        for what in events {
            let name = what.name();
            let value: serde_json::Value = serde_json::from_str(&line(what, &Subject::default())).unwrap();
            assert_eq!(value["event"], name);
            assert!(name != "not_written" || value["counts"]["connect"] == 2, "{value}");
        }
    }
}
