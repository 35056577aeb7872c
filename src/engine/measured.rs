//! An engine whose every answer is timed, and whose errors are counted.

use super::{
    ContainerSpec, ContainerStatus, Engine, EngineError, EngineInfo, FoundContainer, FoundNetwork, NetworkSpec, Notice,
    PullProgress,
};
use crate::{
    domain::{ContainerId, ImageRef, NetworkId},
    measure::{
        Measures,
        catalog::{ENGINE_ERRORS, ENGINE_TIME},
    },
};
use std::{future::Future, rc::Rc, time::Instant};

/// Another engine, measured.
pub struct Measured<E> {
    engine: E,
    measures: Rc<Measures>,
}

impl<E> Measured<E> {
    /// Measures what `engine` does.
    pub const fn new(engine: E, measures: Rc<Measures>) -> Self {
        Self { engine, measures }
    }

    async fn timed<T>(
        &self,
        operation: &str,
        request: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let began = Instant::now();
        let result = request.await;
        self.measures.time(&ENGINE_TIME, operation, began.elapsed());
        self.note(result.as_ref().err());
        result
    }

    fn note(&self, error: Option<&EngineError>) {
        if let Some(kind) = error.and_then(kind) {
            self.measures.count(&ENGINE_ERRORS, kind);
        }
    }
}

/// What the counter calls it; `None` for what is an answer like another.
const fn kind(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::NoSuchImage(_)
        | EngineError::NameTaken
        | EngineError::SubnetTaken
        | EngineError::NoSuchContainer
        | EngineError::NoSuchNetwork
        | EngineError::NetworkInUse => None,
        EngineError::DiskFull => Some("disk_full"),
        EngineError::Refused(_) => Some("refused"),
        EngineError::PullFailed { .. } => Some("pull_failed"),
        EngineError::Unreachable(_) => Some("unreachable"),
        EngineError::Garbled(_) => Some("garbled"),
        EngineError::Other { .. } => Some("other"),
    }
}

impl<E: Engine> Engine for Measured<E> {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.timed("info", self.engine.info()).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, EngineError> {
        self.timed("create_network", self.engine.create_network(spec)).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        self.timed("create_container", self.engine.create_container(spec)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.timed("start_container", self.engine.start_container(id)).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerStatus, EngineError> {
        self.timed("inspect_container", self.engine.inspect_container(id)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.timed("remove_container", self.engine.remove_container(id)).await
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        self.timed("remove_network", self.engine.remove_network(id)).await
    }

    async fn prune_volumes(&self) -> Result<(), EngineError> {
        self.timed("prune_volumes", self.engine.prune_volumes()).await
    }

    async fn pull(&self, image: &ImageRef, report: &mut dyn FnMut(PullProgress)) -> Result<(), EngineError> {
        self.timed("pull", self.engine.pull(image, report)).await
    }

    async fn has_image(&self, image: &ImageRef) -> Result<bool, EngineError> {
        self.timed("has_image", self.engine.has_image(image)).await
    }

    async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        self.timed("containers", self.engine.containers()).await
    }

    async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError> {
        self.timed("networks", self.engine.networks()).await
    }

    async fn watch(&self, hear: &mut dyn FnMut(Notice)) -> EngineError {
        let error = self.engine.watch(hear).await;
        self.note(Some(&error));
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::fake::{FakeEngine, Verb},
        openmetrics::{Dialect, render},
    };

    #[tokio::test]
    async fn requests_are_timed_and_only_errors_of_the_engine_are_counted() {
        let (engine, measures) = (FakeEngine::default(), Rc::new(Measures::default()));
        let timed = Measured::new(engine.clone(), Rc::clone(&measures));
        timed.containers().await.unwrap();
        engine.fail_next(Verb::Containers, EngineError::timed_out("away"));
        timed.containers().await.unwrap_err();
        engine.fail_next(Verb::Containers, EngineError::Refused("no".into()));
        timed.containers().await.unwrap_err();
        engine.fail_next(Verb::InspectContainer, EngineError::NoSuchContainer);
        timed.inspect_container(&"0".repeat(64).parse().unwrap()).await.unwrap_err();
        let text = render(&measures.families(), Dialect::Text);
        for line in [
            "podspawn_engine_request_duration_seconds_count{operation=\"containers\"} 3",
            "podspawn_engine_request_duration_seconds_count{operation=\"inspect_container\"} 1",
            "podspawn_engine_errors_total{kind=\"unreachable\"} 1",
            "podspawn_engine_errors_total{kind=\"refused\"} 1",
            "podspawn_engine_errors_total{kind=\"other\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
