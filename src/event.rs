//! The events that an operator can look for, and how each of them reaches the log, the audit log and the metrics.
//!
//! A new event is a variant of [`Event`], a row of [`Kind`]'s table with its name and message id, a row in each sink of
//! `event/sinks.rs`, and an entry of `systemd/catalog/podspawn.catalog`. The compiler or a test names what is missing.
//! Values of environment variables and comments of keys are in no event.

mod entry;
mod kind;
mod record;
mod reference;
mod sinks;

pub use kind::{Kind, Severity};
pub use record::Record;
pub use reference::reference;

use crate::{
    audit::Run,
    domain::{Cause, ChannelId, ContainerId, ContainerName, ImageRef, Mode, Outcome, Removed, SessionId, SessionKey},
};
use std::{collections::BTreeMap, error::Error, fmt::Display, rc::Rc, time::Duration};

/// Gets every event, with its subject as it is then. Must not block.
pub type Observer = Rc<dyn Fn(&Subject<'_>, &Event<'_>)>;

/// The user, the session and the container that an event is about. What is unknown is absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The account.
    pub user: Option<&'a str>,
    /// The project; empty for the user's own container.
    pub project: Option<&'a str>,
    /// The session's id.
    pub session: Option<&'a str>,
    /// The container's name.
    pub container: Option<&'a str>,
    /// The engine's id of the container.
    pub container_id: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// A user and a project, without a session.
    #[must_use]
    pub fn key(key: &'a SessionKey) -> Self {
        let project = key.project.as_ref().map_or("", AsRef::as_ref);
        Self { user: Some(key.user.as_ref()), project: Some(project), ..Self::default() }
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
            session: Some(id.as_ref()),
            container: Some(container.as_ref()),
            container_id: container_id.map(AsRef::as_ref),
            ..Self::key(key)
        }
    }
}

/// The user and the project, as [`SessionKey`] shows them.
impl Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.user.unwrap_or_default())?;
        match self.project {
            None | Some("") => Ok(()),
            Some(project) => write!(f, "@{project}"),
        }
    }
}

/// An error as an event carries it.
pub type Failure<'a> = &'a (dyn Error + 'static);

/// An event, with what the sinks need of it beside its [`Subject`].
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A container is created: recorded before the engine is asked, logged and counted once its guest is connected.
    ContainerCreate {
        /// The image, as configured.
        image: &'a str,
        /// What happens after the last disconnect.
        mode: Mode,
        /// How long each phase took; empty before the end.
        phases: &'a [(&'static str, Duration)],
    },
    /// A container could not be created; its parts are being removed.
    ContainerCreateFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// A connection begins: recorded before its process is started, logged afterwards.
    Connect {
        /// The connection, in the events of its end too.
        channel: ChannelId,
        /// What it runs.
        run: &'a Run,
    },
    /// A connection is over.
    Disconnect {
        /// The connection.
        channel: ChannelId,
        /// How its process ended, as the guest reports it; `None` if the client went first.
        outcome: Option<Outcome>,
        /// The reason, where it was neither the process nor the client.
        reason: Option<&'a str>,
        /// Connections that the session still has.
        remaining: usize,
    },
    /// A guest named connections that the broker did not open. They do not count.
    GuestInvalid {
        /// How many since the last report.
        channels: usize,
    },
    /// A command or a transfer ended.
    Command {
        /// The connection.
        channel: ChannelId,
        /// What was run. The audit log has its text in the `connect` event of the same channel, and only there.
        run: &'a Run,
        /// How it ended, as the guest reports it.
        outcome: Option<Outcome>,
    },
    /// A container is removed: recorded before the engine is asked.
    ContainerDestroy {
        /// What ended the session; `None` for a container that never had one that ran.
        cause: Option<Cause>,
        /// The reason, as a clause.
        reason: &'a str,
    },
    /// A request was refused. [`crate::measure::catalog::DENIALS`] is counted per login, those of a flood included.
    PolicyDeny {
        /// The peer's uid, where the kernel was asked for it.
        uid: Option<u32>,
        /// The reason.
        reason: &'a str,
    },
    /// A login failed for another reason than policy.
    AttachFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// Changed configuration files are in force.
    ConfigReload,
    /// A configuration file is invalid; the last good configuration stays in force.
    ConfigInvalid {
        /// File, place and mistake.
        error: Failure<'a>,
    },
    /// The broker cannot serve logins.
    NotReady {
        /// The reason.
        reason: &'a str,
    },
    /// The audit log is written again.
    AuditWritten,
    /// The audit log cannot be written; reported once.
    AuditFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// Events were counted instead of written, in the log as well.
    NotWritten {
        /// How many, by their names. A `connect` stands for its `command` and `disconnect` too.
        counts: &'a BTreeMap<&'static str, u64>,
        /// When the first of them happened.
        since: jiff::Timestamp,
        /// The reason.
        reason: &'a str,
    },
    /// The log file is written again.
    LogWritten,
    /// The log file cannot be written; the journal has every event.
    LogFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// A row of the state database is invalid. Nothing is done with it.
    StateInvalid {
        /// The session, the column and the mistake.
        error: Failure<'a>,
    },
    /// The broker exits, as it has no session.
    IdleExit {
        /// How long it had none.
        after: Duration,
    },
    /// The kernel did not accept a connection.
    AcceptFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// A cleanup removed something.
    Cleanup {
        /// What it removed.
        removed: &'a [Removed],
    },
    /// A cleanup could not be completed.
    CleanupFailed {
        /// The reason.
        error: Failure<'a>,
    },
    /// The container engine stopped answering.
    EngineLost {
        /// The reason.
        error: Failure<'a>,
    },
    /// The container engine answers again.
    EngineBack,
    /// An image was verified.
    ImageVerified {
        /// The image.
        image: &'a ImageRef,
        /// The uid that asked for it.
        uid: u32,
    },
    /// An image could not be verified.
    ImageNotVerified {
        /// The image.
        image: &'a ImageRef,
        /// The uid that asked for it.
        uid: u32,
        /// The reason.
        error: Failure<'a>,
    },
    /// A line of a key file, or the file itself, was not used.
    AuthKeys {
        /// What is wrong with it.
        remark: &'a str,
    },
}

impl Event<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::ContainerCreate { .. } => Kind::ContainerCreate,
            Self::ContainerCreateFailed { .. } => Kind::ContainerCreateFailed,
            Self::Connect { .. } => Kind::Connect,
            Self::Disconnect { .. } => Kind::Disconnect,
            Self::GuestInvalid { .. } => Kind::GuestInvalid,
            Self::Command { .. } => Kind::Command,
            Self::ContainerDestroy { .. } => Kind::ContainerDestroy,
            Self::PolicyDeny { .. } => Kind::PolicyDeny,
            Self::AttachFailed { .. } => Kind::AttachFailed,
            Self::ConfigReload => Kind::ConfigReload,
            Self::ConfigInvalid { .. } => Kind::ConfigInvalid,
            Self::NotReady { .. } => Kind::NotReady,
            Self::AuditWritten => Kind::AuditWritten,
            Self::AuditFailed { .. } => Kind::AuditFailed,
            Self::NotWritten { .. } => Kind::NotWritten,
            Self::LogWritten => Kind::LogWritten,
            Self::LogFailed { .. } => Kind::LogFailed,
            Self::StateInvalid { .. } => Kind::StateInvalid,
            Self::IdleExit { .. } => Kind::IdleExit,
            Self::AcceptFailed { .. } => Kind::AcceptFailed,
            Self::Cleanup { .. } => Kind::Cleanup,
            Self::CleanupFailed { .. } => Kind::CleanupFailed,
            Self::EngineLost { .. } => Kind::EngineLost,
            Self::EngineBack => Kind::EngineBack,
            Self::ImageVerified { .. } => Kind::ImageVerified,
            Self::ImageNotVerified { .. } => Kind::ImageNotVerified,
            Self::AuthKeys { .. } => Kind::AuthKeys,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
