//! What an engine's answer allows the caller to conclude.

use crate::domain::ImageRef;
use std::io;

/// Why the engine did not do what it was asked. Texts of the engine are one line of at most 300 characters.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing was created: the engine's host does not have the image. Pulling or building it may help.
    #[error("the engine has no image {0}")]
    NoSuchImage(ImageRef),
    /// Nothing was created: another container or network has the name.
    #[error("the name is taken")]
    NameTaken,
    /// Nothing was created: another network has addresses of the subnet. Another subnet may do.
    #[error("the subnet overlaps another network's")]
    SubnetTaken,
    /// The container does not exist (any more).
    #[error("the container is gone")]
    NoSuchContainer,
    /// The network that the container was created for does not exist (any more). The container exists, not running.
    #[error("the container's network is gone")]
    NoSuchNetwork,
    /// Nothing was removed: the network still has a container in it.
    #[error("the network is in use")]
    NetworkInUse,
    /// The engine's disk is full. Trying again is of no use before space is freed.
    #[error("the engine's disk is full")]
    DiskFull,
    /// The engine understood and will not, or its runtime cannot: a runtime, capability, path, program or option.
    /// Nothing was created or changed, and asking the same again most likely gets the same answer.
    #[error("the engine refused: {0}")]
    Refused(String),
    /// The image could not be fetched; the engine itself is well.
    #[error("cannot pull {image}: {message}")]
    PullFailed {
        /// What was to be fetched.
        image: ImageRef,
        /// The registry's or the engine's reason.
        message: String,
    },
    /// No answer: the socket is missing or refuses, the connection was lost, or the deadline passed. Whether the
    /// engine did what it was asked is unknown.
    #[error("the engine does not answer")]
    Unreachable(#[source] io::Error),
    /// It answered something that this version of podspawn cannot read. What it did is unknown.
    #[error("the engine's answer cannot be read: {0}")]
    Garbled(String),
    /// Any other error of the engine. From 500 up it failed midway, and what it did is unknown.
    #[error("the engine failed with status {status}: {message}")]
    Other {
        /// HTTP status.
        status: u16,
        /// The engine's reason.
        message: String,
    },
}

impl EngineError {
    /// Whether the engine may have done what it was asked, wholly or in part, in spite of the error.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Garbled(_) => true,
            Self::Other { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// The deadline of a call has passed.
    pub(super) fn timed_out(what: &str) -> Self {
        Self::Unreachable(io::Error::new(io::ErrorKind::TimedOut, what.to_owned()))
    }
}

/// An engine host that is not `unix://` and an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "engine host {0:?} is not supported: it must be unix:// and an absolute path, as in unix:///var/run/docker.sock"
)]
pub struct UnsupportedHost(String);

impl UnsupportedHost {
    pub(super) fn new(host: &str) -> Self {
        Self(host.chars().take(100).collect())
    }
}
