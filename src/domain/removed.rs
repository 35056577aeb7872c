//! An object that a cleanup removed, with the reason.

use serde::{Deserialize, Serialize};

/// An object that a cleanup removed, or would remove. Serialized, it is the same in the audit log and in Varlink replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its kind.
    pub kind: RemovedKind,
    /// Its name: user and project of a session, the engine's name of a container or network.
    pub name: String,
    /// The reason, as a clause.
    pub reason: String,
}

/// The kinds of objects that a cleanup removes, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedKind {
    /// A session with its container and network.
    Session,
    /// A container that podspawn made and that has no session.
    Container,
    /// A network that podspawn made and that has no session.
    Network,
    /// A socket directory that has no session.
    Directory,
}

impl RemovedKind {
    /// As it is shown, stored and counted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Container => "container",
            Self::Network => "network",
            Self::Directory => "directory",
        }
    }
}

impl std::fmt::Display for RemovedKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
