//! What the engine is asked to create.

use crate::domain::{Bind, ContainerName, Hardening, ImageRef, Limits, ProjectName, SessionId, Span, Subnet, UserName};

/// The label by which everything of ours is found, and its value.
pub(super) const MANAGED_BY: (&str, &str) = ("managed-by", "podspawn");
/// Whose it is.
pub(super) const USER: &str = "podspawn-user";
/// For which project; empty for the user's own container.
pub(super) const PROJECT: &str = "podspawn-project";
/// The identity of the session it belongs to.
pub(super) const SESSION: &str = "podspawn.session";

/// Whose a container or a network is. Operators filter by these labels, and what a crash leaves behind is found by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The account.
    pub user: UserName,
    /// The project, if any.
    pub project: Option<ProjectName>,
    /// The session.
    pub session: SessionId,
}

impl Labels {
    /// The labels as the engine takes them. The project is always there: an image's own label would show otherwise.
    pub(super) fn pairs(&self) -> [(&'static str, String); 4] {
        let project = self.project.as_ref().map_or_else(String::new, ToString::to_string);
        [
            (MANAGED_BY.0, MANAGED_BY.1.to_owned()),
            (USER, self.user.to_string()),
            (PROJECT, project),
            (SESSION, self.session.to_string()),
        ]
    }
}

/// A bridge network to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name, unique among the engine's networks.
    pub name: String,
    /// Its addresses; the engine takes the first for the gateway.
    pub subnet: Subnet,
    /// Whose it is.
    pub labels: Labels,
}

/// Most terminals of one container: as many as it may have processes by default. A terminal is one of `kernel.pty.max`, and
/// takes some 20 KiB of kernel memory that are not counted as the container's.
pub const MAX_TERMINALS: u32 = 256;

/// A container to create. It always runs as 0:0 in `/`: its first process is the guest, which changes users itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    /// Its name, unique among the engine's containers.
    pub name: ContainerName,
    /// Its own host name, at most 64 bytes.
    pub hostname: String,
    /// The image, which must be on the engine's host already.
    pub image: ImageRef,
    /// The *name* of its network, which need not exist before the container is started.
    pub network: String,
    /// Whose it is.
    pub labels: Labels,
    /// What it may use.
    pub limits: Limits,
    /// What it may do.
    pub hardening: Hardening,
    /// How many terminals it may have at once, where the engine can bound that; the kernel counts those of all
    /// containers together.
    pub terminals: Option<u32>,
    /// What it sees of the host; the sources must exist.
    pub binds: Vec<Bind>,
    /// Its first process and the arguments of that, instead of the image's.
    pub entrypoint: Vec<String>,
    /// `NAME=value`, beside the image's own.
    pub environment: Vec<String>,
    /// How long the engine waits after SIGTERM when it is shut down itself, before it kills.
    pub stop_timeout: Span,
}
