//! The container, the network and the socket directory of a session, or of an image that is being verified: making and
//! removing them.
//!
//! Both make and remove them alike. They differ in what they write down between the steps: see [`Checkpoints`].

use super::{AttachError, Sessions, engine_side::EngineSide, spec::network_name, subnets::Subnets};
use crate::{
    domain::{ContainerId, ContainerName, ImageRef, NetworkId, SessionId, Subnet},
    engine::{ContainerSpec, Engine, EngineError, Labels, NetworkSpec},
    link::Link,
};

/// How often another subnet is tried when the engine has a network of its own in the pool.
const MAX_SUBNETS: usize = 64;

/// What a caller does after each step: it writes its row, for instance. An error ends the provisioning.
pub(super) trait Checkpoints {
    /// What can go wrong.
    type Error: From<AttachError>;

    /// Fetches an image that the engine does not have.
    async fn pull(&self, image: &ImageRef) -> Result<(), Self::Error>;

    fn network_created(&self, _: &NetworkId) -> Result<(), AttachError> {
        Ok(())
    }

    /// The network is to get this subnet, since the engine has another network in the first.
    fn subnet_changed(&self, _: Subnet) -> Result<(), AttachError> {
        Ok(())
    }

    fn container_created(&self, _: &ContainerId) -> Result<(), AttachError> {
        Ok(())
    }

    /// The container is to get this name, since the engine has another container of the first.
    fn renamed(&self, _: &ContainerName) -> Result<(), AttachError> {
        Ok(())
    }

    fn removed(&self, _: Piece) {}
}

/// What is removed, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Container,
    /// A container that was found by its label: the engine's answer with its id may have been lost.
    FoundContainer,
    Network,
    /// A network that was found by its label.
    FoundNetwork,
    Directory,
}

/// Makes and removes what one session, or one verification, has of the engine.
pub(super) struct Provision<'a, E, C> {
    pub(super) sessions: &'a Sessions<E>,
    pub(super) labels: Labels,
    /// What the engine has made so far.
    pub(super) made: &'a EngineSide,
    pub(super) checkpoints: C,
}

impl<E: Engine + 'static, C: Checkpoints> Provision<'_, E, C> {
    fn id(&self) -> &SessionId {
        &self.labels.session
    }

    /// Makes the network, with another subnet if the engine has a network of its own in `subnet`.
    pub(super) async fn create_network(&self, subnet: Subnet, mut subnets: Subnets) -> Result<(), AttachError> {
        let mut spec = NetworkSpec { name: network_name(self.id()), subnet, labels: self.labels.clone() };
        for _ in 0..=MAX_SUBNETS {
            match self.sessions.0.engine.create_network(&spec).await {
                Ok(id) => {
                    self.made.network_created(id.clone());
                    return self.checkpoints.network_created(&id);
                }
                Err(EngineError::SubnetTaken) => {
                    subnets.avoid.insert(spec.subnet);
                    let next = self.sessions.0.store.allot_subnet(subnets.pool, &subnets.avoid)?;
                    spec.subnet = next.ok_or(AttachError::NoSubnet)?;
                    self.checkpoints.subnet_changed(spec.subnet)?;
                }
                Err(source) => return Err(AttachError::Engine { step: "creating the network", source }),
            }
        }
        Err(AttachError::NoSubnet)
    }

    /// Makes the container, pulling its image and varying its name if needed.
    pub(super) async fn create_container(&self, mut spec: ContainerSpec) -> Result<ContainerId, C::Error> {
        let (mut is_pulled, mut is_renamed) = (false, false);
        loop {
            match self.sessions.0.engine.create_container(&spec).await {
                Ok(id) => {
                    self.made.container_created(id.clone());
                    self.checkpoints.container_created(&id)?;
                    return Ok(id);
                }
                Err(EngineError::NoSuchImage(_)) if !is_pulled => {
                    self.checkpoints.pull(&spec.image).await?;
                    is_pulled = true;
                }
                Err(EngineError::NameTaken) if !is_renamed => {
                    spec.name = spec.name.unique(self.id());
                    self.checkpoints.renamed(&spec.name)?;
                    self.made.renamed(spec.name.clone());
                    is_renamed = true;
                }
                Err(source) => return Err(AttachError::Engine { step: "creating the container", source }.into()),
            }
        }
    }

    /// Removes container, network and socket directory. Can be repeated.
    pub(super) async fn remove(&self) -> Result<(), AttachError> {
        self.remove_container().await?;
        self.remove_network().await?;
        Link::remove_directory(&self.sessions.0.sockets, self.id())
            .map_err(|error| AttachError::Files("cannot remove the socket's directory", error))?;
        self.checkpoints.removed(Piece::Directory);
        Ok(())
    }

    async fn remove_container(&self) -> Result<(), AttachError> {
        let failed = |step| move |source| AttachError::Engine { step, source };
        let (containers, piece) = if let Some(container) = self.made.container() {
            (vec![container], Piece::Container)
        } else {
            let found = self.sessions.inventory().containers().await.map_err(failed("looking for the container"))?;
            let own = found.into_iter().filter(|found| found.session.as_ref() == Some(self.id()));
            (own.map(|found| found.id).collect(), Piece::FoundContainer)
        };
        for container in containers {
            let removed = self.sessions.0.engine.remove_container(&container).await;
            removed.map_err(failed("removing the container"))?;
            self.checkpoints.removed(piece);
        }
        Ok(())
    }

    async fn remove_network(&self) -> Result<(), AttachError> {
        let failed = |step| move |source| AttachError::Engine { step, source };
        let (networks, piece) = if let Some(network) = self.made.network() {
            (vec![network], Piece::Network)
        } else {
            let found = self.sessions.inventory().networks().await.map_err(failed("looking for the network"))?;
            let own = found.into_iter().filter(|found| found.session.as_ref() == Some(self.id()));
            (own.map(|found| found.id).collect(), Piece::FoundNetwork)
        };
        for network in networks {
            let removed = self.sessions.0.engine.remove_network(&network).await;
            removed.map_err(failed("removing the network"))?;
            self.checkpoints.removed(piece);
        }
        Ok(())
    }
}
