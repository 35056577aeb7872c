//! Looking at an image in a container that exists for nothing else.
//!
//! It is made as a session's is, and is none: it has no row, counts for nobody, and nobody enters it. What it leaves when
//! the broker dies carries our label and belongs to no session, so the next pass removes it.

use super::{
    AttachError, Capacity, Sessions, Step,
    attach::random,
    create::{self, MAX_SUBNETS, container_spec, guest_binds, network_name},
    pull::Layers,
    subnets::Subnets,
};
use crate::{
    domain::{ContainerId, ContainerName, NetworkId, SessionId, UserName},
    engine::{Engine, EngineError, Labels, NetworkSpec},
    link::{Link, Word},
    policy::Plan,
    protocol::{
        examination::{EXAMINE, Facts, LOGIN, MAX_FACTS_BYTES},
        guest::{GUEST_BINARY, UID},
    },
};
use std::{cell::RefCell, io, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task,
    time::{self, Instant},
};

/// How long the guest may look: it runs three programs, each for ten seconds at most, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the container still runs meanwhile.
const POLL: Duration = Duration::from_millis(500);
/// Most images at once: each has a container that no limit of sessions counts.
const MAX_AT_ONCE: usize = 4;
/// How often what was made is removed before it is left to the next pass, and the pause between.
const REMOVALS: (u32, Duration) = (3, Duration::from_millis(300));

/// Why an image could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Others are being looked at.
    #[error("{MAX_AT_ONCE} images are being verified already; try again when they are done")]
    Busy,
    /// Whoever asked has gone.
    #[error("nobody waits for the answer any more")]
    Abandoned,
    /// The host's part: a pull, a network, the state. It says nothing about the image.
    #[error(transparent)]
    Host(AttachError),
    /// The engine does not start a container of this image.
    #[error("a container of it does not start")]
    NotStarted(#[source] AttachError),
    /// It started, and nothing was heard of it.
    #[error("its container says nothing")]
    Silent(#[source] io::Error),
}

impl From<AttachError> for VerifyError {
    fn from(error: AttachError) -> Self {
        Self::Host(error)
    }
}

impl<E: Engine + 'static> Sessions<E> {
    /// What the image of `plan` has, seen from inside a container that `plan` describes. `progress` is told what is being
    /// waited for; dropping the future ends it, and what was made is removed all the same.
    pub async fn verify(
        &self,
        plan: Plan,
        capacity: Capacity,
        progress: &mut dyn FnMut(&Step),
    ) -> Result<Facts, VerifyError> {
        let verification = Verification::begin(self)?;
        let (steps, mut told) = watch::channel(Step::new("creating the container"));
        let (mut answer, mut answered) = oneshot::channel();
        task::spawn_local(async move {
            let facts = verification.run(&plan, &capacity, &steps, &mut answer).await;
            verification.remove().await;
            // Whoever asked may have gone.
            let _ = answer.send(facts);
        });
        progress(&told.borrow_and_update().clone());
        loop {
            tokio::select! {
                biased;
                facts = &mut answered => return facts.unwrap_or(Err(VerifyError::Abandoned)),
                Ok(()) = told.changed() => progress(&told.borrow_and_update().clone()),
            }
        }
    }

    /// Whether something of ours has its place: it belongs to a session, or to an image that is being looked at.
    pub(super) fn is_in_use(&self, id: &SessionId) -> bool {
        self.find_id(id).is_some() || self.0.verifying.borrow().contains(id)
    }
}

/// One image that is being looked at.
struct Verification<E: Engine + 'static> {
    sessions: Sessions<E>,
    id: SessionId,
    /// The broker's own account, which no session can have.
    owner: UserName,
    container: RefCell<Option<ContainerId>>,
    network: RefCell<Option<NetworkId>>,
}

impl<E: Engine + 'static> Drop for Verification<E> {
    fn drop(&mut self) {
        self.sessions.0.verifying.borrow_mut().remove(&self.id);
    }
}

impl<E: Engine + 'static> Verification<E> {
    fn begin(sessions: &Sessions<E>) -> Result<Self, VerifyError> {
        if sessions.0.verifying.borrow().len() >= MAX_AT_ONCE {
            return Err(VerifyError::Busy);
        }
        let id = SessionId::from_bits(random()?);
        let invalid = |error| AttachError::Files("cannot name the container's owner", io::Error::other(error));
        let owner = "podspawn".parse().map_err(invalid)?;
        sessions.0.verifying.borrow_mut().insert(id.clone());
        Ok(Self { sessions: sessions.clone(), id, owner, container: RefCell::default(), network: RefCell::default() })
    }

    fn labels(&self) -> Labels {
        Labels { user: self.owner.clone(), project: None, session: self.id.clone() }
    }

    async fn run(
        &self,
        plan: &Plan,
        capacity: &Capacity,
        steps: &watch::Sender<Step>,
        answer: &mut oneshot::Sender<Result<Facts, VerifyError>>,
    ) -> Result<Facts, VerifyError> {
        let inner = &self.sessions.0;
        let closed = self.sessions.root_overrides_modes(plan).await;
        let word = Word::listen(&inner.sockets, &self.id, !closed)
            .map_err(|error| AttachError::Files("cannot listen for the guest", error))?;
        let container = self.create_container(plan, steps, answer).await?;
        steps.send_replace(Step::new("looking at the image"));
        self.create_network(capacity).await?;
        let refused = |source| AttachError::Engine { step: "starting the container", source };
        match inner.engine.start_container(&container).await {
            Ok(()) => {}
            // It answers, and what it complains about is most likely in the image.
            Err(error @ (EngineError::Refused(_) | EngineError::Other { .. })) => {
                return Err(VerifyError::NotStarted(refused(error)));
            }
            Err(error) => return Err(refused(error).into()),
        }
        tokio::select! {
            heard = self.hear(&word, &container) => heard,
            () = answer.closed() => Err(VerifyError::Abandoned),
        }
    }

    async fn create_container(
        &self,
        plan: &Plan,
        steps: &watch::Sender<Step>,
        answer: &mut oneshot::Sender<Result<Facts, VerifyError>>,
    ) -> Result<ContainerId, VerifyError> {
        let inner = &self.sessions.0;
        let guest = inner.guest.path().await.map_err(|error| AttachError::Files("cannot copy the guest", error))?;
        let binds = guest_binds(guest, Link::directory(&inner.sockets, &self.id));
        let (uid, examine) = (format!("{UID}={}", plan.uid_range.examination()), format!("{EXAMINE}={}", plan.shell));
        let entrypoint = vec![GUEST_BINARY.to_owned(), "guest".to_owned(), uid, examine];
        let name = ContainerName::of_examination(&self.id);
        let spec = container_spec(plan, name, network_name(&self.id), self.labels(), binds, entrypoint);
        let mut pulled = false;
        loop {
            match inner.engine.create_container(&spec).await {
                Ok(id) => {
                    self.container.replace(Some(id.clone()));
                    return Ok(id);
                }
                Err(EngineError::NoSuchImage(_)) if !pulled => {
                    let mut layers = Layers::new(&plan.image);
                    steps.send_replace(layers.step());
                    let mut report = |progress| {
                        if let Some(step) = layers.update(progress) {
                            steps.send_replace(step);
                        }
                    };
                    tokio::select! {
                        done = inner.engine.pull(&plan.image, &mut report) => {
                            done.map_err(|source| AttachError::Image { image: plan.image.clone(), source })?;
                        }
                        () = answer.closed() => return Err(VerifyError::Abandoned),
                    }
                    pulled = true;
                }
                Err(source) => return Err(AttachError::Engine { step: "creating the container", source }.into()),
            }
        }
    }

    /// Makes the network. Without a row its subnet is nobody's: a session that is given the same meanwhile finds it taken,
    /// as this does, and takes another.
    async fn create_network(&self, capacity: &Capacity) -> Result<(), AttachError> {
        let inner = &self.sessions.0;
        let mut subnets = Subnets::of(capacity.pool, (capacity.routes)())?;
        for _ in 0..=MAX_SUBNETS {
            let subnet = inner.store.allot_subnet(subnets.pool, &subnets.avoid)?.ok_or(AttachError::NoSubnet)?;
            let spec = NetworkSpec { name: network_name(&self.id), subnet, labels: self.labels() };
            match inner.engine.create_network(&spec).await {
                Ok(id) => {
                    self.network.replace(Some(id));
                    return Ok(());
                }
                Err(EngineError::SubnetTaken) => drop(subnets.avoid.insert(subnet)),
                Err(source) => return Err(AttachError::Engine { step: "creating the network", source }),
            }
        }
        Err(AttachError::NoSubnet)
    }

    async fn hear(&self, word: &Word, container: &ContainerId) -> Result<Facts, VerifyError> {
        let engine = &self.sessions.0.engine;
        let failed = |source| AttachError::Engine { step: "looking at the container", source };
        let status = engine.inspect_container(container).await.map_err(failed)?;
        let Some(pid) = status.pid.and_then(|pid| i32::try_from(pid).ok()) else {
            return Err(VerifyError::NotStarted(create::ended_at_once(&status)));
        };
        let end = Instant::now() + PATIENCE;
        let mut heard = std::pin::pin!(word.hear(pid, MAX_FACTS_BYTES));
        loop {
            match time::timeout(POLL, &mut heard).await {
                Ok(bytes) => {
                    let bytes = bytes.map_err(VerifyError::Silent)?;
                    return Facts::decode(&bytes).map_err(|error| VerifyError::Silent(error.into()));
                }
                Err(_) if Instant::now() >= end => return Err(VerifyError::Silent(io::ErrorKind::TimedOut.into())),
                Err(_) => {}
            }
            // An engine that does not answer says nothing about the container.
            match engine.inspect_container(container).await {
                Ok(status) if !status.running => {
                    return Err(VerifyError::NotStarted(create::ended_at_once(&status)));
                }
                _ => {}
            }
        }
    }

    /// Removes what was made. What cannot be removed now is left to the next pass, which finds it by its label.
    async fn remove(&self) {
        for attempt in 1..=REMOVALS.0 {
            match self.try_remove().await {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, id = %self.id, attempt, "removing a container of {LOGIN}"),
            }
            time::sleep(REMOVALS.1 * attempt).await;
        }
    }

    async fn try_remove(&self) -> Result<(), EngineError> {
        let engine = &self.sessions.0.engine;
        let is_ours = |session: Option<&SessionId>| session == Some(&self.id);
        let container = self.container.borrow().clone();
        let containers = match container {
            Some(container) => vec![container],
            // The answer that named it may have been lost.
            None => self
                .sessions
                .containers()
                .await?
                .into_iter()
                .filter(|one| is_ours(one.session.as_ref()))
                .map(|one| one.id)
                .collect(),
        };
        for container in &containers {
            engine.remove_container(container).await?;
        }
        let network = self.network.borrow().clone();
        let networks = match network {
            Some(network) => vec![network],
            None => self
                .sessions
                .networks()
                .await?
                .into_iter()
                .filter(|one| is_ours(one.session.as_ref()))
                .map(|one| one.id)
                .collect(),
        };
        for network in &networks {
            engine.remove_network(network).await?;
        }
        if let Err(error) = Link::remove_directory(&self.sessions.0.sockets, &self.id) {
            tracing::debug!(%error, id = %self.id, "removing a socket's directory");
        }
        Ok(())
    }
}
