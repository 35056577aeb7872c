//! The errors of a login: for the log, and in one line for the user.

use super::home::HomeError;
use crate::{
    accounts::AccountError,
    audit::AuditError,
    domain::{ImageRef, Subnet, UidRange},
    engine::EngineError,
    link::LinkError,
    policy::Denial,
    store::StoreError,
    sys::{passing, routes::Route},
};
use rustix::io::Errno;
use std::{io, sync::Arc};

/// Why an attach failed.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Refused by policy; the text is shown to the user verbatim.
    #[error("{0}")]
    Denied(Denial),
    /// The image is not on this host, and could not be fetched.
    #[error("image {image} is not on this server and cannot be pulled")]
    Image {
        /// The image.
        image: ImageRef,
        /// The error of the engine.
        #[source]
        source: EngineError,
    },
    /// A step of the creation failed; what was made is being removed.
    #[error("{step}")]
    Engine {
        /// The step: `starting the container`.
        step: &'static str,
        /// The error of the engine.
        #[source]
        source: EngineError,
    },
    /// The host has a route into all of the pool.
    #[error("network.pool {pool} overlaps the route to {route}")]
    PoolRouted {
        /// The whole pool.
        pool: Subnet,
        /// The route.
        route: Route,
    },
    /// No user id is left.
    #[error("every user id of security.uid_range {0} is in use")]
    NoUid(UidRange),
    /// The host's accounts are not known, so no user id can be said to be free; nothing was created.
    #[error("the host's accounts")]
    Accounts(#[source] AccountError),
    /// No subnet is left.
    #[error("every subnet of the pool is in use")]
    NoSubnet,
    /// The state cannot be read or written; nothing was created.
    #[error("the state database")]
    Store(#[from] StoreError),
    /// A file or socket of the session could not be made.
    #[error("{0}")]
    Files(&'static str, #[source] io::Error),
    /// The user's persistent home cannot be had; nothing was created.
    #[error("the persistent home")]
    Home(#[from] HomeError),
    /// The container runs and its guest is not heard.
    #[error("the container's guest is silent")]
    Silent(#[from] LinkError),
    /// It has as many connections as a guest takes.
    #[error("this container has too many connections")]
    TooManyConnections,
    /// The audit log cannot be written, and `log.audit_required` is set.
    #[error("the audit log")]
    Audit(#[source] Arc<AuditError>),
    /// The user's last container of that name is still being removed, which fails.
    #[error("the last container cannot be removed")]
    Remains(#[source] Arc<AttachError>),
    /// The creation that several waited for failed.
    #[error(transparent)]
    Shared(Arc<AttachError>),
}

impl AttachError {
    /// The line for a user when a disk is full.
    pub const DISK_FULL: &str = "the server's disk is full; ask the administrator to free some";

    /// What failed, as it is counted; `None` if it was decided so.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Denied(_) => None,
            Self::Shared(error) | Self::Remains(error) => error.kind(),
            Self::Image { .. } => Some("image"),
            Self::Engine { .. } => Some("engine"),
            Self::PoolRouted { .. } | Self::NoSubnet => Some("network"),
            Self::NoUid(_) | Self::Accounts(_) => Some("accounts"),
            Self::Store(_) => Some("state"),
            Self::Files(..) => Some("files"),
            Self::Home(_) => Some("home"),
            Self::Silent(_) | Self::TooManyConnections => Some("guest"),
            Self::Audit(_) => Some("audit"),
        }
    }

    /// The one line that the user sees: what happened and what to do next. Details are for the log.
    #[must_use]
    pub fn for_user(&self) -> String {
        match self {
            Self::Denied(denial) => denial.to_string(),
            Self::Image { image, source: EngineError::PullFailed { message, .. } } => {
                format!("image {image} is not on this server and cannot be pulled: {message}")
            }
            Self::Image { source, .. } | Self::Engine { source, .. } => for_user(source),
            Self::PoolRouted { pool, route } => format!(
                "network.pool {pool} overlaps this server's route to {route}; ask the administrator to choose another \
                 network.pool"
            ),
            Self::NoSubnet => "the server has no network left for another container; ask the administrator to stop \
                 sessions or to enlarge network.pool"
                .to_owned(),
            Self::NoUid(range) => format!(
                "the server has no user id left in security.uid_range {range}; ask the administrator to enlarge it"
            ),
            Self::Remains(error) => match &**error {
                Self::Engine { source: EngineError::Unreachable(_), .. } | Self::Store(_) => error.for_user(),
                _ => "your last container cannot be removed; ask the administrator to look at \
                     `journalctl -u podspawn-broker`"
                    .to_owned(),
            },
            Self::Shared(error) => error.for_user(),
            Self::Silent(LinkError::InFlight) => passing::in_words(Errno::TOOMANYREFS),
            Self::Accounts(_)
            | Self::Store(_)
            | Self::Files(..)
            | Self::Home(_)
            | Self::Audit(_)
            | Self::Silent(_)
            | Self::TooManyConnections => self.line_for_user().to_owned(),
        }
    }

    /// The line of an error without details.
    fn line_for_user(&self) -> &'static str {
        match self {
            Self::Accounts(_) => "the server's account database does not answer; try again, then ask the administrator",
            Self::Store(StoreError::Full(_)) => Self::DISK_FULL,
            Self::Home(HomeError::System { source, .. })
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Self::DISK_FULL
            }
            Self::Home(_) => {
                "the server cannot make your home directory; ask the administrator to look at \
                 `journalctl -u podspawn-broker`"
            }
            Self::Audit(_) => {
                "the server cannot write its audit log and refuses logins without it; ask the administrator to look \
                 at `journalctl -u podspawn-broker`"
            }
            Self::Silent(LinkError::Stuck) => {
                "your container does not take new connections just now; try again, then ask the administrator"
            }
            Self::TooManyConnections => "this container has too many connections",
            Self::Silent(_) => "your container runs but does not answer; ask the administrator to stop it",
            // Of the others only these have no details: the state and the files of a session.
            _ => {
                "the server cannot write its state; ask the administrator to look at the disk and at \
                 `journalctl -u podspawn-broker`"
            }
        }
    }
}

fn for_user(error: &EngineError) -> String {
    match error {
        EngineError::NoSuchImage(image) => format!("image {image} is not on this server"),
        EngineError::PullFailed { image, message } => format!("image {image} cannot be pulled: {message}"),
        EngineError::DiskFull => AttachError::DISK_FULL.to_owned(),
        EngineError::Unreachable(_) => {
            "the container engine does not answer; try again in a moment, then ask the administrator".to_owned()
        }
        EngineError::Refused(message) => {
            format!("the container engine refused to make your container: {message}; ask the administrator")
        }
        _ => "the container engine failed to make your container; ask the administrator to look at \
             `journalctl -u podspawn-broker`"
            .to_owned(),
    }
}
