//! The choice of the engine. No other file says which engines exist.

use super::{
    ContainerSpec, ContainerStatus, Engine, EngineError, EngineInfo, FoundContainer, FoundNetwork, Measured,
    NetworkSpec, Notice, Product, PullProgress, UnsupportedHost,
    docker::{DockerEngine, PRODUCT},
};
use crate::{
    domain::{ContainerId, ImageRef, NetworkId},
    measure::Measures,
};
use std::rc::Rc;

/// The engine of this host, measured.
pub enum AnyEngine {
    /// The Docker API.
    Docker(Measured<DockerEngine>),
}

/// The engine at `host`, for instance `unix:///run/engine.sock`. Does not connect: each request does.
///
/// # Errors
///
/// A host that is not a Unix socket.
pub fn connect(host: &str, measures: Rc<Measures>) -> Result<AnyEngine, UnsupportedHost> {
    Ok(AnyEngine::Docker(Measured::new(DockerEngine::new(host)?, measures)))
}

/// What an administrator calls the engine of this host.
#[must_use]
pub const fn product() -> &'static Product {
    &PRODUCT
}

/// Calls the engine, whichever it is.
macro_rules! call {
    ($any:expr, $engine:ident => $call:expr) => {
        match $any {
            AnyEngine::Docker($engine) => $call.await,
        }
    };
}

impl Engine for AnyEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        call!(self, engine => engine.info())
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, EngineError> {
        call!(self, engine => engine.create_network(spec))
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        call!(self, engine => engine.create_container(spec))
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        call!(self, engine => engine.start_container(id))
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerStatus, EngineError> {
        call!(self, engine => engine.inspect_container(id))
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        call!(self, engine => engine.remove_container(id))
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        call!(self, engine => engine.remove_network(id))
    }

    async fn prune_volumes(&self) -> Result<(), EngineError> {
        call!(self, engine => engine.prune_volumes())
    }

    async fn pull(&self, image: &ImageRef, report: &mut dyn FnMut(PullProgress)) -> Result<(), EngineError> {
        call!(self, engine => engine.pull(image, report))
    }

    async fn has_image(&self, image: &ImageRef) -> Result<bool, EngineError> {
        call!(self, engine => engine.has_image(image))
    }

    async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        call!(self, engine => engine.containers())
    }

    async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError> {
        call!(self, engine => engine.networks())
    }

    async fn watch(&self, hear: &mut dyn FnMut(Notice)) -> EngineError {
        call!(self, engine => engine.watch(hear))
    }
}
