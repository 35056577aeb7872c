//! Docker (and what speaks its API) over a Unix socket.
//!
//! Nothing is kept between calls but the stream of [`Engine::watch`], which returns when the stream ends. bollard opens a
//! connection per request on a Unix socket, so none goes stale when the engine restarts, and an engine that is down when
//! the broker starts is merely an error of the first call. No API version is kept either: bollard's requests carry none,
//! which every engine takes for its own current one. That holds from 20.10 to engines that have dropped all the versions
//! that 20.10 speaks; all of them have what is sent and read here.

mod answer;
mod failure;
mod request;

use super::{
    ContainerSpec, ContainerStatus, Engine, EngineError, EngineInfo, FoundContainer, FoundNetwork, NetworkSpec, Notice,
    Product, PullProgress, UnsupportedHost,
};
use crate::domain::{ContainerId, ImageRef, NetworkId};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error,
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
        ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
        StartContainerOptions,
    },
};
use failure::explain;
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    future::Future,
    io,
    pin::pin,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

/// For what makes the engine run other programs and write to its disk: create, start, remove.
const DEADLINE_CHANGE: Duration = Duration::from_mins(1);
/// For what it answers from memory: inspect, list, info.
const DEADLINE_READ: Duration = Duration::from_secs(10);
/// How long a pull may stand still. The caller limits the time of the whole pull.
const DEADLINE_PULL_STEP: Duration = Duration::from_secs(30);
/// The time between two inspections of a container that another client is removing.
const REMOVAL_POLL: Duration = Duration::from_millis(50);
/// bollard's own deadline, above all of ours so that ours decide; in seconds.
const BOLLARD_TIMEOUT: u64 = 120;

/// The names of Docker.
pub const PRODUCT: Product = Product {
    name: "Docker",
    command: "docker",
    unit: "docker",
    group: "docker",
    settings: "/etc/docker/daemon.json",
    nixos_settings: "virtualisation.docker.daemon.settings",
    socket: "/var/run/docker.sock",
    data: "/var/lib/docker",
    oldest: (20, 10),
    interfaces: &["docker0", "docker_gwbridge"],
    memory_files: &[
        "/sys/fs/cgroup/system.slice/docker-{}.scope/memory.current",
        "/sys/fs/cgroup/docker/{}/memory.current",
        "/sys/fs/cgroup/memory/system.slice/docker-{}.scope/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/docker/{}/memory.usage_in_bytes",
    ],
};

/// A Docker engine. Making one does not connect.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    socket: String,
}

impl DockerEngine {
    /// The engine at `host`, for instance `unix:///var/run/docker.sock`.
    pub fn new(host: &str) -> Result<Self, UnsupportedHost> {
        match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(Self { socket: path.to_owned() }),
            _ => Err(UnsupportedHost::new(host)),
        }
    }

    fn client(&self) -> Result<Docker, EngineError> {
        Docker::connect_with_unix(&self.socket, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
            .map_err(|error| explain(error, |_, _| None))
    }

    /// Waits until a container that is being removed is gone.
    async fn removed_by_another(&self, id: &ContainerId) -> Result<(), EngineError> {
        let deadline = Instant::now() + DEADLINE_CHANGE;
        loop {
            match self.inspect_container(id).await {
                Err(EngineError::NoSuchContainer) => return Ok(()),
                Err(error) => return Err(error),
                Ok(_) if Instant::now() < deadline => sleep(REMOVAL_POLL).await,
                Ok(_) => return Err(EngineError::timed_out("the removal of the container does not end")),
            }
        }
    }
}

/// The answer to `call` if it comes in time.
async fn within<T>(deadline: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(deadline, call).await.unwrap_or(Err(Error::RequestTimeoutError))
}

impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let docker = self.client()?;
        let both = async { tokio::try_join!(docker.version(), docker.info()) };
        let (version, info) = within(DEADLINE_READ, both).await.map_err(|error| explain(error, |_, _| None))?;
        Ok(answer::info(version, info))
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, EngineError> {
        let (body, checked) = request::network(spec)?;
        // Before API 1.44 the engine checks only on request that a network's name is unused, and bollard's type has
        // lost that field.
        let docker = self
            .client()?
            .with_request_modifier(move |request| request.map(|_| bollard::body_full(checked.clone().into())));
        let made = within(DEADLINE_CHANGE, docker.create_network(body))
            .await
            .map_err(|error| explain(error, failure::network))?;
        debug!(network = %spec.name, subnet = %spec.subnet, id = %made.id, "network created");
        answer::id(&made.id)
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        let mut body = request::container(spec)?;
        let options = CreateContainerOptionsBuilder::default().name(spec.name.as_ref()).build();
        let docker = self.client()?;
        let mut made = within(DEADLINE_CHANGE, docker.create_container(Some(options.clone()), body.clone())).await;
        if let Err(error) = &made
            && failure::is_more_cpus_than_there_are(error, spec.limits.cpus)
        {
            debug!(container = %spec.name, "the machine has fewer processors than the limit: created without one");
            if let Some(config) = &mut body.host_config {
                config.nano_cpus = None;
            }
            made = within(DEADLINE_CHANGE, docker.create_container(Some(options), body)).await;
        }
        let made =
            made.map_err(|error| explain(error, |status, text| failure::container(status, text, &spec.image)))?;
        for warning in &made.warnings {
            debug!(container = %spec.name, warning = failure::shorten(warning), "the engine warns");
        }
        debug!(container = %spec.name, id = %made.id, "container created");
        answer::id(&made.id)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let docker = self.client()?;
        within(DEADLINE_CHANGE, docker.start_container(id.as_ref(), None::<StartContainerOptions>))
            .await
            .map_err(|error| explain(error, failure::start))
    }

    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerStatus, EngineError> {
        let docker = self.client()?;
        let found = within(DEADLINE_READ, docker.inspect_container(id.as_ref(), None::<InspectContainerOptions>))
            .await
            .map_err(|error| explain(error, failure::absent))?;
        answer::status(found)
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let docker = self.client()?;
        let options = RemoveContainerOptionsBuilder::default().v(true).force(true).build();
        match within(DEADLINE_CHANGE, docker.remove_container(id.as_ref(), Some(options))).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(Error::DockerResponseServerError { status_code: 409, message })
                if message.contains("already in progress") =>
            {
                self.removed_by_another(id).await
            }
            Err(error) => Err(explain(error, |_, _| None)),
        }
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        let docker = self.client()?;
        match within(DEADLINE_CHANGE, docker.remove_network(id.as_ref())).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(explain(error, failure::network_removal)),
        }
    }

    async fn prune_volumes(&self) -> Result<(), EngineError> {
        let docker = self.client()?;
        // The engine's own prune leaves volumes alone that have options.
        let filters =
            HashMap::from([("label", vec![request::TERMINALS.to_owned()]), ("dangling", vec!["true".to_owned()])]);
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let unknown = |error| explain(error, |_, _| None);
        let found = within(DEADLINE_READ, docker.list_volumes(Some(options))).await.map_err(unknown)?;
        for volume in found.volumes.unwrap_or_default() {
            // One that is busy, or that another client removes, does not stop the others.
            if let Err(error) =
                within(DEADLINE_CHANGE, docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>)).await
            {
                debug!(volume = volume.name, error = %unknown(error), "a volume of terminals is not removed");
            }
        }
        Ok(())
    }

    async fn pull(&self, image: &ImageRef, report: &mut dyn FnMut(PullProgress)) -> Result<(), EngineError> {
        let docker = self.client()?;
        let mut steps = pin!(docker.create_image(Some(request::pull(image)), None, None));
        loop {
            match timeout(DEADLINE_PULL_STEP, steps.next()).await {
                Ok(Some(Ok(step))) => report(answer::progress(step)),
                Ok(Some(Err(error))) => return Err(failure::pull(error, image)),
                Ok(None) => return Ok(()),
                Err(_) => {
                    let message = format!("no progress for {} s", DEADLINE_PULL_STEP.as_secs());
                    return Err(EngineError::PullFailed { image: image.clone(), message });
                }
            }
        }
    }

    async fn has_image(&self, image: &ImageRef) -> Result<bool, EngineError> {
        let docker = self.client()?;
        match within(DEADLINE_READ, docker.inspect_image(image.as_ref())).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(explain(error, |_, _| None)),
        }
    }

    async fn containers(&self) -> Result<Vec<FoundContainer>, EngineError> {
        let docker = self.client()?;
        let options = ListContainersOptionsBuilder::default().all(true).filters(&request::ours()).build();
        let found = within(DEADLINE_READ, docker.list_containers(Some(options)))
            .await
            .map_err(|error| explain(error, |_, _| None))?;
        found.into_iter().map(answer::container).collect()
    }

    async fn networks(&self) -> Result<Vec<FoundNetwork>, EngineError> {
        let docker = self.client()?;
        let options = ListNetworksOptionsBuilder::default().filters(&request::ours()).build();
        let found = within(DEADLINE_READ, docker.list_networks(Some(options)))
            .await
            .map_err(|error| explain(error, |_, _| None))?;
        found.into_iter().map(answer::network).collect()
    }

    async fn watch(&self, hear: &mut dyn FnMut(Notice)) -> EngineError {
        let docker = match self.client() {
            Ok(docker) => docker,
            Err(error) => return error,
        };
        let mut events = pin!(docker.events(Some(request::events(SystemTime::now()))));
        // The stream is silent until something happens. But once the engine has answered anything, all that happens
        // from then on is in the stream, even if that is opened later: it begins at a moment that is past.
        let mut answer = pin!(within(DEADLINE_READ, docker.ping()));
        let mut answered = false;
        loop {
            tokio::select! {
                result = &mut answer, if !answered => match result {
                    Ok(_) => {
                        answered = true;
                        hear(Notice::Watching);
                    }
                    Err(error) => return explain(error, |_, _| None),
                },
                event = events.next() => match event {
                    Some(Ok(event)) => answer::notice(event).into_iter().for_each(&mut *hear),
                    Some(Err(error)) => return explain(error, |_, _| None),
                    None => return EngineError::Unreachable(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "it has closed its stream of events",
                    )),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
