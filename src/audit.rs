//! The audit log: who came, what was run, what was made and removed, one JSON object a line.
//!
//! Events become lines here and lines get into the file; what is written when, and what follows if it cannot be, is
//! decided by whoever acts. Every line begins with its number, by which a line that may have been lost is looked for.

mod file;

pub use file::{AuditError, AuditFile, Place};

use crate::domain::{ChannelId, ContainerId, ContainerName, Outcome, SessionId, SessionKey, UserName};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Serialize, Serializer};

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
    /// A command, and how it ended.
    Command {
        /// The connection.
        #[serde(serialize_with = "hexadecimal")]
        channel: ChannelId,
        /// What was run.
        #[serde(flatten)]
        run: Run,
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
    /// A pass removed something.
    Cleanup {
        /// What, and why.
        removed: Vec<Removed<'a>>,
    },
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

/// What a connection runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `shell`, `command` or `sftp`.
    pub kind: &'static str,
    /// The command, as the client sent it; what is not UTF-8 in it is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The command byte for byte, where the text cannot say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_base64: Option<String>,
}

impl Run {
    /// A login shell.
    #[must_use]
    pub fn shell() -> Self {
        Self { kind: "shell", ..Self::default() }
    }

    /// An SFTP server.
    #[must_use]
    pub fn sftp() -> Self {
        Self { kind: "sftp", ..Self::default() }
    }

    /// A command.
    #[must_use]
    pub fn command(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let exact = matches!(text, std::borrow::Cow::Borrowed(_));
        let command_base64 = (!exact).then(|| BASE64_STANDARD.encode(bytes));
        Self { kind: "command", command: Some(text.into_owned()), command_base64 }
    }
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
        // Our own types have string keys and finite numbers only, for which this cannot fail.
        let rest = serde_json::to_string(self).unwrap_or_default();
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
    fn bytes_that_are_no_text_are_kept_beside_the_text() {
        let text = line(
            What::Command { channel: ChannelId(1), run: Run::command(b"a\xff"), end: Some(Outcome::Killed(9)).into() },
            &Subject::default(),
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["command"], "a\u{fffd}");
        assert_eq!(BASE64_STANDARD.decode(value["command_base64"].as_str().unwrap()).unwrap(), b"a\xff");
        assert_eq!((&value["signal"], value.get("exit_code")), (&9.into(), None));
    }
}
