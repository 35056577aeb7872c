//! Containers and networks that the engine has, as its answers describe them.

use super::spec;
use crate::domain::{Bind, ContainerId, ContainerName, NetworkId, ProjectName, SessionId, Subnet, UserName};
use std::collections::HashMap;

/// Whether a container runs, and how it ended if not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Whether its first process exists.
    pub running: bool,
    /// The first process's pid as the host sees it, while it runs.
    pub pid: Option<u32>,
    /// Whether the kernel killed one of its processes for want of memory.
    pub oom_killed: bool,
    /// The first process's exit code (128 + n for signal n), once it has ended.
    pub exit_code: Option<i64>,
    /// Whether the container is being removed.
    pub removing: bool,
}

/// A container that carries our label.
///
/// Labels that do not parse are `None`: any user of the engine may have written anything there. That podspawn
/// made the container is not proven by them; see `session::own`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundContainer {
    /// Its id.
    pub id: ContainerId,
    /// Its name; the engine forgets it while it removes the container.
    pub name: Option<ContainerName>,
    /// The name of its network, or `bridge`, `host`, `container:…`, as it was asked for.
    pub network: Option<String>,
    /// What it sees of the host.
    pub binds: Vec<Bind>,
    /// The session it was made for.
    pub session: Option<SessionId>,
    /// Whose it is.
    pub user: Option<UserName>,
    /// For which project.
    pub project: Option<ProjectName>,
    /// Whether its first process exists.
    pub running: bool,
    /// When it was created, in Unix seconds of the engine's clock.
    pub created: i64,
}

/// A network that carries our label; see [`FoundContainer`] for the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its first IPv4 subnet.
    pub subnet: Option<Subnet>,
    /// The session it was made for.
    pub session: Option<SessionId>,
    /// Whose it is.
    pub user: Option<UserName>,
    /// For which project.
    pub project: Option<ProjectName>,
    /// When it was created, in Unix seconds of the engine's clock; 0 if it does not say.
    pub created: i64,
}

/// One step of a pull, for a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer (or tag) that it is about.
    pub layer: Option<String>,
    /// What is being done to it, in the engine's words: `Downloading`, `Extracting`, `Pull complete`.
    pub status: String,
    /// How many bytes of it are done.
    pub current: Option<u64>,
    /// How many bytes it has.
    pub total: Option<u64>,
}

/// The labels of ours among those of a container or network, each if it parses.
pub(super) struct FoundLabels {
    pub(super) session: Option<SessionId>,
    pub(super) user: Option<UserName>,
    pub(super) project: Option<ProjectName>,
}

impl FoundLabels {
    pub(super) fn read(labels: &HashMap<String, String>) -> Self {
        Self {
            session: labels.get(spec::SESSION).and_then(|text| text.parse().ok()),
            user: labels.get(spec::USER).and_then(|text| text.parse().ok()),
            project: labels.get(spec::PROJECT).and_then(|text| text.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Labels;

    #[test]
    fn labels_read_back_as_written_and_foreign_ones_are_none() {
        let labels = Labels {
            user: "machine$".parse().unwrap(),
            project: Some("backend".parse().unwrap()),
            session: SessionId::from_bits(7),
        };
        let mut pairs: HashMap<String, String> =
            labels.pairs().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let read = FoundLabels::read(&pairs);
        assert_eq!((read.user, read.project, read.session), (Some(labels.user), labels.project, Some(labels.session)));

        pairs.insert("podspawn.session".into(), "../etc".into());
        pairs.insert("podspawn-project".into(), String::new());
        pairs.remove("podspawn-user");
        let read = FoundLabels::read(&pairs);
        assert!(read.session.is_none() && read.user.is_none() && read.project.is_none());
    }
}
