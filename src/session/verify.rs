//! Verifying an image, in a container that exists for nothing else.
//!
//! The container is made as that of a session, and is none: it has no row, no limit counts it, and no client enters it. What
//! it leaves if the broker dies carries our label and belongs to no session, so the next cleanup removes it.

use super::{
    AttachError, Capacity, Sessions,
    attach::random,
    create::ended_at_once,
    engine_side::EngineSide,
    provision::{Checkpoints, Provision},
    pull::pull,
    spec::{container_spec, guest_binds},
    subnets::Subnets,
};
use crate::{
    domain::{ContainerId, ContainerName, ImageRef, SessionId},
    engine::{Engine, EngineError, Labels},
    link::{ExitReport, Link},
    policy::Plan,
    protocol::{
        examination::{EXAMINE, Facts, LOGIN, MAX_FACTS_BYTES},
        guest::{GUEST_BINARY, UID},
        varlink::Step,
    },
};
use std::{io, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task,
    time::{self, Instant},
};

/// How long the guest may examine the image: it runs three programs, each for ten seconds at most, on a machine that may
/// be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the engine is asked meanwhile whether the container still runs: without a session its events are not received.
const POLL: Duration = Duration::from_millis(500);
/// Most images at once: each has a container that no limit of sessions counts.
const MAX_AT_ONCE: usize = 4;
/// How often the removal is tried before it is left to the next cleanup, and the pause between.
const REMOVALS: (u32, Duration) = (3, Duration::from_millis(300));

/// Why an image could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Others are being verified.
    #[error("{MAX_AT_ONCE} images are being verified already; try again when they are done")]
    Busy,
    /// The client has disconnected.
    #[error("the client has disconnected")]
    Abandoned,
    /// The host's part: a pull, a network, the state. It says nothing about the image.
    #[error(transparent)]
    Host(AttachError),
    /// The engine does not start a container of this image.
    #[error("a container of it does not start")]
    NotStarted(#[source] AttachError),
    /// It started, and its guest sent no report.
    #[error("its container sends no report")]
    Silent(#[source] io::Error),
}

impl From<AttachError> for VerifyError {
    fn from(error: AttachError) -> Self {
        Self::Host(error)
    }
}

impl<E: Engine + 'static> Sessions<E> {
    /// What the image of `plan` has, as seen in a container that `plan` describes. `progress` gets each step. Dropping the
    /// future ends the verification; what it made is removed all the same.
    pub async fn verify(
        &self,
        plan: Plan,
        capacity: Capacity,
        progress: &mut dyn FnMut(&Step),
    ) -> Result<Facts, VerifyError> {
        let verification = Verification::begin(self)?;
        let mut steps = verification.steps.subscribe();
        let (answer, mut answered) = oneshot::channel();
        task::spawn_local(async move {
            let facts = verification.run(&plan, &capacity).await;
            verification.remove().await;
            // The client may have disconnected.
            let _ = answer.send(facts);
        });
        progress(&steps.borrow_and_update().clone());
        loop {
            tokio::select! {
                biased;
                facts = &mut answered => return facts.unwrap_or(Err(VerifyError::Abandoned)),
                Ok(()) = steps.changed() => progress(&steps.borrow_and_update().clone()),
            }
        }
    }
}

/// The verification of one image.
struct Verification<E: Engine + 'static> {
    sessions: Sessions<E>,
    /// Its owner is the broker's own account, which no session can have.
    labels: Labels,
    made: EngineSide,
    /// Closed when the client disconnects.
    steps: watch::Sender<Step>,
}

impl<E: Engine + 'static> Drop for Verification<E> {
    fn drop(&mut self) {
        self.sessions.0.registry.end_verification(self.id());
    }
}

impl<E: Engine + 'static> Verification<E> {
    fn begin(sessions: &Sessions<E>) -> Result<Self, VerifyError> {
        let session = SessionId::from_bits(random()?);
        let invalid = |error| AttachError::Files("cannot name the container's owner", io::Error::other(error));
        let user = "podspawn".parse().map_err(invalid)?;
        if !sessions.0.registry.begin_verification(&session, MAX_AT_ONCE) {
            return Err(VerifyError::Busy);
        }
        Ok(Self {
            sessions: sessions.clone(),
            made: EngineSide::new(ContainerName::of_examination(&session)),
            labels: Labels { user, project: None, session },
            steps: watch::Sender::new(Step::new("creating the container")),
        })
    }

    fn id(&self) -> &SessionId {
        &self.labels.session
    }

    fn provision(&self) -> Provision<'_, E, Unrecorded<'_, E>> {
        Provision {
            sessions: &self.sessions,
            labels: self.labels.clone(),
            made: &self.made,
            checkpoints: Unrecorded { engine: &self.sessions.0.engine, steps: &self.steps },
        }
    }

    async fn run(&self, plan: &Plan, capacity: &Capacity) -> Result<Facts, VerifyError> {
        let inner = &self.sessions.0;
        let is_closed = self.sessions.isolation().await.is_some_and(|isolation| isolation.root_overrides_modes(plan));
        let report = ExitReport::listen(&inner.sockets, self.id(), !is_closed)
            .map_err(|error| AttachError::Files("cannot listen for the guest", error))?;
        let container = self.create_container(plan).await?;
        self.steps.send_replace(Step::new("looking at the image"));
        self.create_network(capacity).await?;
        let refused = |source| AttachError::Engine { step: "starting the container", source };
        match inner.engine.start_container(&container).await {
            Ok(()) => {}
            // The engine answers, and the cause is most likely in the image.
            Err(error @ (EngineError::Refused(_) | EngineError::Other { .. })) => {
                return Err(VerifyError::NotStarted(refused(error)));
            }
            Err(error) => return Err(refused(error).into()),
        }
        tokio::select! {
            facts = self.hear(&report, &container) => facts,
            () = self.steps.closed() => Err(VerifyError::Abandoned),
        }
    }

    async fn create_container(&self, plan: &Plan) -> Result<ContainerId, VerifyError> {
        let inner = &self.sessions.0;
        let guest = inner.guest.path().await.map_err(|error| AttachError::Files("cannot copy the guest", error))?;
        let binds = guest_binds(guest, Link::directory(&inner.sockets, self.id()));
        let (uid, examine) = (format!("{UID}={}", plan.uid_range.examination()), format!("{EXAMINE}={}", plan.shell));
        let entrypoint = vec![GUEST_BINARY.to_owned(), "guest".to_owned(), uid, examine];
        let spec = container_spec(plan, self.made.name(), self.labels.clone(), binds, entrypoint);
        self.provision().create_container(spec).await
    }

    /// Without a row the subnet is not reserved: a session that is given the same one meanwhile finds it taken, as this
    /// does, and takes another.
    async fn create_network(&self, capacity: &Capacity) -> Result<(), AttachError> {
        let subnets = Subnets::of(capacity.pool, (capacity.routes)())?;
        let subnet = self.sessions.0.store.allot_subnet(subnets.pool, &subnets.avoid)?.ok_or(AttachError::NoSubnet)?;
        self.provision().create_network(subnet, subnets).await
    }

    async fn hear(&self, report: &ExitReport, container: &ContainerId) -> Result<Facts, VerifyError> {
        let engine = &self.sessions.0.engine;
        let failed = |source| AttachError::Engine { step: "looking at the container", source };
        let status = engine.inspect_container(container).await.map_err(failed)?;
        let Some(pid) = status.pid.and_then(|pid| i32::try_from(pid).ok()) else {
            return Err(VerifyError::NotStarted(ended_at_once(&status)));
        };
        let end = Instant::now() + PATIENCE;
        let mut heard = std::pin::pin!(report.receive(pid, MAX_FACTS_BYTES));
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
                    return Err(VerifyError::NotStarted(ended_at_once(&status)));
                }
                _ => {}
            }
        }
    }

    /// Removes what was made. What cannot be removed now is left to the next cleanup, which finds it by its label.
    async fn remove(&self) {
        for attempt in 1..=REMOVALS.0 {
            match self.provision().remove().await {
                Ok(()) => break,
                Err(error) => tracing::debug!(%error, id = %self.id(), attempt, "removing a container of {LOGIN}"),
            }
            time::sleep(REMOVALS.1 * attempt).await;
        }
    }
}

/// A verification has no row: nothing is written between its steps. A pull ends when the client disconnects.
struct Unrecorded<'a, E> {
    engine: &'a E,
    steps: &'a watch::Sender<Step>,
}

impl<E: Engine> Checkpoints for Unrecorded<'_, E> {
    type Error = VerifyError;

    async fn pull(&self, image: &ImageRef) -> Result<(), VerifyError> {
        let show = |step| {
            self.steps.send_replace(step);
        };
        tokio::select! {
            pulled = pull(self.engine, image, show) => Ok(pulled?),
            () = self.steps.closed() => Err(VerifyError::Abandoned),
        }
    }
}
