//! What the fake engine has, and the rules by which it changes.

use crate::{
    domain::{ContainerId, ImageRef, NetworkId},
    engine::{ContainerSpec, ContainerStatus, EngineError, FoundContainer, FoundNetwork, NetworkSpec},
};
use std::collections::HashSet;

/// The one OCI runtime that the fake has.
pub(super) const RUNTIME: &str = "runc";

enum Phase {
    Created,
    Running { pid: u32 },
    Ended { exit_code: i64, oom_killed: bool },
}

struct Container {
    id: ContainerId,
    spec: ContainerSpec,
    phase: Phase,
    created: i64,
}

struct Network {
    id: NetworkId,
    spec: NetworkSpec,
    created: i64,
}

/// What the engine has.
#[derive(Default)]
pub(super) struct World {
    pub(super) images: HashSet<String>,
    pub(super) registry: HashSet<String>,
    containers: Vec<Container>,
    networks: Vec<Network>,
    /// Counts what was created; ids, pids and creation times are made of it.
    serial: u32,
}

impl World {
    fn next(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn container(&mut self, id: &ContainerId) -> Result<&mut Container, EngineError> {
        self.containers.iter_mut().find(|container| container.id == *id).ok_or(EngineError::NoSuchContainer)
    }

    pub(super) fn create_network(&mut self, spec: &NetworkSpec) -> Result<NetworkId, EngineError> {
        if self.networks.iter().any(|network| network.spec.name == spec.name) {
            return Err(EngineError::NameTaken);
        }
        if self.networks.iter().any(|network| network.spec.subnet.overlaps(spec.subnet)) {
            return Err(EngineError::SubnetTaken);
        }
        let serial = self.next();
        let id: NetworkId = format!("{serial:064x}").parse().expect("hexadecimal digits");
        self.networks.push(Network { id: id.clone(), spec: spec.clone(), created: serial.into() });
        Ok(id)
    }

    pub(super) fn create_container(&mut self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        if let Some(runtime) = spec.hardening.runtime.as_deref().filter(|runtime| *runtime != RUNTIME) {
            return Err(EngineError::Refused(format!("Unknown runtime specified {runtime}")));
        }
        if !self.images.contains(spec.image.as_ref()) {
            return Err(EngineError::NoSuchImage(spec.image.clone()));
        }
        if self.containers.iter().any(|container| container.spec.name == spec.name) {
            return Err(EngineError::NameTaken);
        }
        let serial = self.next();
        let id: ContainerId = format!("{serial:064x}").parse().expect("hexadecimal digits");
        let (spec, phase) = (spec.clone(), Phase::Created);
        self.containers.push(Container { id: id.clone(), spec, phase, created: serial.into() });
        Ok(id)
    }

    pub(super) fn start(&mut self, id: &ContainerId) -> Result<(), EngineError> {
        let network = self.container(id)?.spec.network.clone();
        if matches!(self.container(id)?.phase, Phase::Running { .. }) {
            return Ok(());
        }
        if !self.networks.iter().any(|other| other.spec.name == network) {
            return Err(EngineError::NoSuchNetwork);
        }
        // A test plays the guest itself, and the kernel vouches for its pid.
        let pid = std::process::id();
        self.container(id)?.phase = Phase::Running { pid };
        Ok(())
    }

    pub(super) fn end(&mut self, id: &ContainerId, exit_code: i64, oom_killed: bool) {
        if let Ok(container) = self.container(id) {
            container.phase = Phase::Ended { exit_code, oom_killed };
        }
    }

    pub(super) fn restart(&mut self, id: &ContainerId) {
        if let Ok(container) = self.container(id) {
            container.phase = Phase::Running { pid: 1 };
        }
    }

    pub(super) fn status(&mut self, id: &ContainerId) -> Result<ContainerStatus, EngineError> {
        let idle =
            ContainerStatus { running: false, pid: None, oom_killed: false, exit_code: Some(0), removing: false };
        Ok(match self.container(id)?.phase {
            Phase::Created => idle,
            Phase::Running { pid } => ContainerStatus { running: true, pid: Some(pid), exit_code: None, ..idle },
            Phase::Ended { exit_code, oom_killed } => {
                ContainerStatus { oom_killed, exit_code: Some(exit_code), ..idle }
            }
        })
    }

    pub(super) fn remove_container(&mut self, id: &ContainerId) {
        self.containers.retain(|container| container.id != *id);
    }

    pub(super) fn remove_network(&mut self, id: &NetworkId) -> Result<(), EngineError> {
        let Some(network) = self.networks.iter().find(|network| network.id == *id) else { return Ok(()) };
        let inside = |container: &Container| {
            container.spec.network == network.spec.name && matches!(container.phase, Phase::Running { .. })
        };
        if self.containers.iter().any(inside) {
            return Err(EngineError::NetworkInUse);
        }
        self.networks.retain(|network| network.id != *id);
        Ok(())
    }

    pub(super) fn pull(&mut self, image: &ImageRef) -> Result<(), EngineError> {
        if !self.registry.contains(image.as_ref()) {
            let message = "manifest unknown".to_owned();
            return Err(EngineError::PullFailed { image: image.clone(), message });
        }
        self.images.insert(image.to_string());
        Ok(())
    }

    pub(super) fn containers(&self) -> Vec<FoundContainer> {
        let found = |container: &Container| FoundContainer {
            id: container.id.clone(),
            name: Some(container.spec.name.clone()),
            network: Some(container.spec.network.clone()),
            binds: container.spec.binds.clone(),
            session: Some(container.spec.labels.session.clone()),
            user: Some(container.spec.labels.user.clone()),
            project: container.spec.labels.project.clone(),
            running: matches!(container.phase, Phase::Running { .. }),
            created: container.created,
        };
        self.containers.iter().map(found).collect()
    }

    pub(super) fn networks(&self) -> Vec<FoundNetwork> {
        let found = |network: &Network| FoundNetwork {
            id: network.id.clone(),
            name: network.spec.name.clone(),
            subnet: Some(network.spec.subnet),
            session: Some(network.spec.labels.session.clone()),
            user: Some(network.spec.labels.user.clone()),
            project: network.spec.labels.project.clone(),
            created: network.created,
        };
        self.networks.iter().map(found).collect()
    }

    pub(super) fn spec_of(&self, id: &ContainerId) -> Option<ContainerSpec> {
        self.containers.iter().find(|container| container.id == *id).map(|container| container.spec.clone())
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.containers.len(), self.networks.len())
    }
}
