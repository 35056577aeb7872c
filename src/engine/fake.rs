//! An engine in memory, with the rules of the real one, for tests of what orders the steps.
//!
//! The same suite holds both to the same rules (`tests/engine/contract.rs`). Beside them the fake can fail, lose an
//! answer, be slow, and show what it was asked. Clones share one world.

// These are test helpers; an answer that is not looked at is no mistake there.
#![allow(clippy::must_use_candidate)]

mod world;

use super::{
    ContainerSpec, ContainerStatus, Engine, EngineError, EngineInfo, FoundContainer, FoundNetwork, NetworkSpec, Notice,
    PullProgress,
};
use crate::domain::{ContainerId, ImageRef, NetworkId};
use std::{
    cell::{RefCell, RefMut},
    collections::{HashMap, VecDeque},
    io,
    rc::Rc,
    time::Duration,
};
use tokio::sync::mpsc::{self, UnboundedSender};
use world::World;

/// A verb of [`Engine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the method of its name
pub enum Verb {
    Info,
    CreateNetwork,
    CreateContainer,
    StartContainer,
    InspectContainer,
    RemoveContainer,
    RemoveNetwork,
    PruneVolumes,
    Pull,
    HasImage,
    Containers,
    Networks,
    Watch,
}

enum Fault {
    /// Fails with this before anything is done.
    Before(EngineError),
    /// Does it, and then the connection is lost.
    AnswerLost,
}

#[derive(Default)]
struct Inner {
    world: World,
    faults: HashMap<Verb, VecDeque<Fault>>,
    delays: HashMap<Verb, Duration>,
    calls: Vec<(Verb, String)>,
    watchers: Vec<UnboundedSender<Notice>>,
}

/// The engine in memory.
#[derive(Clone, Default)]
pub struct FakeEngine(Rc<RefCell<Inner>>);

impl FakeEngine {
    /// An engine that has these images and nothing else.
    pub fn with_images(images: &[&str]) -> Self {
        let engine = Self::default();
        engine.inner().world.images.extend(images.iter().map(|image| (*image).to_owned()));
        engine
    }

    fn inner(&self) -> RefMut<'_, Inner> {
        self.0.borrow_mut()
    }

    /// Puts an image into the registry, where [`Engine::pull`] finds it.
    pub fn publish(&self, image: &str) {
        self.inner().world.registry.insert(image.to_owned());
    }

    /// The next call of `verb` (the next but one, if asked twice) does nothing and fails with `error`.
    pub fn fail_next(&self, verb: Verb, error: EngineError) {
        self.inner().faults.entry(verb).or_default().push_back(Fault::Before(error));
    }

    /// The next call of `verb` does what it should, and then the answer is lost.
    pub fn lose_answer(&self, verb: Verb) {
        self.inner().faults.entry(verb).or_default().push_back(Fault::AnswerLost);
    }

    /// Every call of `verb` takes so long, before anything is done.
    pub fn delay(&self, verb: Verb, delay: Duration) {
        self.inner().delays.insert(verb, delay);
    }

    /// What was asked so far, oldest first: the verb and the name or id it was asked for.
    pub fn calls(&self) -> Vec<(Verb, String)> {
        self.inner().calls.clone()
    }

    /// The verbs that were asked so far, oldest first.
    pub fn verbs(&self) -> Vec<Verb> {
        self.inner().calls.iter().map(|(verb, _)| *verb).collect()
    }

    /// Forgets what was asked so far.
    pub fn forget_calls(&self) {
        self.inner().calls.clear();
    }

    /// Ends a container's first process, as a crash or the kernel would.
    pub fn end_container(&self, id: &ContainerId, exit_code: i64, oom_killed: bool) {
        self.inner().world.end(id, exit_code, oom_killed);
        if oom_killed && exit_code == 137 {
            self.notify(&Notice::OutOfMemory { container: id.clone() });
        }
        self.notify(&Notice::Ended { container: id.clone() });
    }

    /// Ends a container's first process by a signal, as `docker stop` and `docker kill` would.
    pub fn kill_container(&self, id: &ContainerId, signal: i32) {
        self.notify(&Notice::Signalled { container: id.clone(), signal });
        self.end_container(id, i64::from(128 + signal), false);
    }

    /// Gives a container another first process, as `docker restart` would, and says nothing.
    pub fn restart_container(&self, id: &ContainerId) {
        self.inner().world.restart(id);
    }

    /// Ends all watches, as an engine that is restarted.
    pub fn hang_up(&self) {
        self.inner().watchers.clear();
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.inner().watchers.iter().filter(|watcher| !watcher.is_closed()).count()
    }

    fn notify(&self, notice: &Notice) {
        self.inner().watchers.retain(|watcher| watcher.send(notice.clone()).is_ok());
    }

    /// What a container was created with.
    pub fn spec_of(&self, id: &ContainerId) -> Option<ContainerSpec> {
        self.inner().world.spec_of(id)
    }

    /// How many containers and networks there are.
    pub fn counts(&self) -> (usize, usize) {
        self.inner().world.counts()
    }

    async fn call<T>(
        &self,
        verb: Verb,
        subject: &str,
        act: impl FnOnce(&mut World) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let (delay, fault) = {
            let mut inner = self.inner();
            inner.calls.push((verb, subject.to_owned()));
            let fault = inner.faults.get_mut(&verb).and_then(VecDeque::pop_front);
            (inner.delays.get(&verb).copied(), fault)
        };
        match delay {
            Some(delay) => tokio::time::sleep(delay).await,
            // A real engine never answers at once: others get their turn here, as they would there.
            None => tokio::task::yield_now().await,
        }
        match fault {
            Some(Fault::Before(error)) => Err(error),
            Some(Fault::AnswerLost) => {
                let _ = act(&mut self.inner().world);
                Err(EngineError::Unreachable(io::ErrorKind::ConnectionReset.into()))
            }
            None => act(&mut self.inner().world),
        }
    }
}

impl Engine for FakeEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.call(Verb::Info, "", |_| {
            Ok(EngineInfo {
                version: "0.0-fake".into(),
                runtimes: vec![world::RUNTIME.into()],
                ..EngineInfo::default()
            })
        })
        .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, EngineError> {
        self.call(Verb::CreateNetwork, &spec.name, |world| world.create_network(spec)).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        self.call(Verb::CreateContainer, spec.name.as_ref(), |world| world.create_container(spec)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call(Verb::StartContainer, id.as_ref(), |world| world.start(id)).await
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerStatus, EngineError> {
        self.call(Verb::InspectContainer, id.as_ref(), |world| world.status(id)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call(Verb::RemoveContainer, id.as_ref(), |world| {
            world.remove_container(id);
            Ok(())
        })
        .await?;
        self.notify(&Notice::Removed { container: id.clone() });
        Ok(())
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        self.call(Verb::RemoveNetwork, id.as_ref(), |world| world.remove_network(id)).await
    }

    async fn prune_volumes(&self) -> Result<(), EngineError> {
        self.call(Verb::PruneVolumes, "", |_| Ok(())).await
    }

    async fn pull(&self, image: &ImageRef, report: &mut dyn FnMut(PullProgress)) -> Result<(), EngineError> {
        self.call(Verb::Pull, image.as_ref(), |world| {
            world.pull(image)?;
            report(PullProgress { status: "Pull complete".into(), ..PullProgress::default() });
            Ok(())
        })
        .await
    }

    async fn has_image(&self, image: &ImageRef) -> Result<bool, EngineError> {
        self.call(Verb::HasImage, image.as_ref(), |world| Ok(world.images.contains(image.as_ref()))).await
    }

    async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        self.call(Verb::Containers, "", |world| Ok(world.containers())).await
    }

    async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError> {
        self.call(Verb::Networks, "", |world| Ok(world.networks())).await
    }

    async fn watch(&self, hear: &mut dyn FnMut(Notice)) -> EngineError {
        let (watcher, mut notices) = mpsc::unbounded_channel();
        let begun = self.call(Verb::Watch, "", |_| Ok(())).await;
        if let Err(error) = begun {
            return error;
        }
        self.inner().watchers.push(watcher);
        hear(Notice::Watching);
        while let Some(notice) = notices.recv().await {
            hear(notice);
        }
        EngineError::Unreachable(io::ErrorKind::ConnectionReset.into())
    }
}

#[cfg(test)]
mod tests;
