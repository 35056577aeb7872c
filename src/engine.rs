//! The container engine, as far as sessions need it: a few verbs, and errors that say what may be concluded.
//!
//! The engine is the truth about containers and networks. An error means *unknown* unless its variant says more;
//! it never means *absent*. Nothing here decides what should exist.

mod any;
pub mod docker;
mod error;
#[cfg(test)]
pub mod fake;
mod found;
mod measured;
mod notice;
mod product;
mod spec;

pub use any::{AnyEngine, connect, product};
pub use error::{EngineError, UnsupportedHost};
pub use found::{ContainerStatus, FoundContainer, FoundNetwork, PullProgress};
pub use measured::Measured;
pub use notice::Notice;
pub use product::Product;
pub use spec::{ContainerSpec, Labels, MAX_TERMINALS, NetworkSpec};

/// What an engine says of itself.
pub use crate::protocol::varlink::EngineInfo;

use crate::domain::{ContainerId, ImageRef, NetworkId};

/// What sessions ask of an engine.
///
/// Every call has a deadline of its own; a caller that gives up earlier may drop the future, after which the engine
/// may or may not have done what was asked.
// The broker is single-threaded (current_thread and LocalSet), so the futures need not be `Send`.
#[allow(async_fn_in_trait)]
pub trait Engine {
    /// What the engine is and can do.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// Creates a bridge network. [`EngineError::SubnetTaken`] if any other network has an address of its subnet.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, EngineError>;

    /// Creates a container, not yet running. Its network is looked up at start, so both can be created at once.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError>;

    /// Starts a container; one that runs already stays as it is. After an error it may or may not run.
    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Whether a container runs, and how it ended if not.
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerStatus, EngineError>;

    /// Kills and removes a container with its anonymous volumes. `Ok` means that it is gone, also if another client removed it.
    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Removes a network. `Ok` means that it is gone; [`EngineError::NetworkInUse`] while a container is in it.
    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError>;

    /// Removes volumes with terminals ([`ContainerSpec::terminals`]) whose container another client removed.
    async fn prune_volumes(&self) -> Result<(), EngineError>;

    /// Fetches an image from its registry and calls `report` with every step.
    async fn pull(&self, image: &ImageRef, report: &mut dyn FnMut(PullProgress)) -> Result<(), EngineError>;

    /// Whether the engine's host has an image, which is then not fetched.
    async fn has_image(&self, image: &ImageRef) -> Result<bool, EngineError>;

    /// Every container that carries our label, in whatever state.
    async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError>;

    /// Every network that carries our label.
    async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError>;

    /// Calls `hear` with the events of containers that carry our label until the connection to the engine ends, and
    /// returns the reason. No event between [`Notice::Watching`] and the return is missed; earlier ones may come too.
    async fn watch(&self, hear: &mut dyn FnMut(Notice)) -> EngineError;
}
