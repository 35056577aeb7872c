//! Making a session's container and network.

use super::{AttachError, Happening, Sessions, Step, home, live_session::Session, subnets::Subnets};
use crate::{
    config::Dotfiles,
    domain::{Bind, ContainerId, ContainerName, NetworkId, SessionId, Span, Subnet},
    engine::{ContainerSpec, ContainerStatus, Engine, EngineError, Labels, NetworkSpec},
    link::{Link, LinkError},
    policy::Plan,
    protocol::guest::{DOTFILES, GUEST_BINARY, GUEST_SOCKET_DIR, HOMES, INSTALL, PERSISTENT_HOME, UID},
    sys::crash,
};
use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

/// How long a new container's guest may take to connect: it does so first of all, but a busy machine is slow.
pub(super) const GUEST_START: Duration = Duration::from_secs(20);

/// How often another subnet is tried when the engine has a network of its own in the pool.
pub(super) const MAX_SUBNETS: usize = 64;

/// What the engine grants everybody at its own shutdown before it kills.
const STOP_TIMEOUT: Span = Span::from_secs(10);

/// Longest host name, in bytes (`HOST_NAME_MAX`, less one for good measure: a DNS label).
const MAX_HOSTNAME: usize = 63;

impl<E: Engine + 'static> Sessions<E> {
    /// Creates in a task of its own: it goes on when whoever asked for it goes away.
    pub(super) fn spawn_creation(&self, session: Rc<Session>, plan: Plan, subnet: Subnet, subnets: Subnets) {
        let sessions = self.clone();
        tokio::task::spawn_local(async move {
            match sessions.create(&session, &plan, subnet, subnets).await {
                Ok(phases) => {
                    sessions.notify(&session, &Happening::Created { phases: &phases });
                    session.lifecycle.started();
                    sessions.arm(&session);
                    // Those who wait are woken now; if there is none, the client went away during the creation.
                    sessions.check_deserted(&session);
                }
                Err(error) => {
                    sessions.notify(&session, &Happening::Failed { error: &error });
                    sessions.undo(&session, error).await;
                }
            }
        });
    }

    async fn create(
        &self,
        session: &Rc<Session>,
        plan: &Plan,
        subnet: Subnet,
        subnets: Subnets,
    ) -> Result<[(&'static str, Duration); 4], AttachError> {
        let began = Instant::now();
        let link = self.listen(session).map_err(|error| AttachError::Files("cannot listen for the guest", error))?;
        crash::point("create.listening");
        let home = Self::home(session, plan).await?;
        crash::point("create.home-made");
        let prepared = Instant::now();
        // The engine looks the network up when the container starts, so neither waits for the other.
        let (network, container, closed) = tokio::join!(
            self.create_network(session, subnet, subnets),
            self.create_container(session, plan, home),
            self.root_overrides_modes(plan)
        );
        network?;
        let container = container?;
        if !closed {
            Link::open_to_all(&self.0.sockets, &session.id)
                .map_err(|error| AttachError::Files("cannot open the socket to the container", error))?;
        }
        let made = Instant::now();
        let failed = |step| move |source| AttachError::Engine { step, source };
        self.0.engine.start_container(&container).await.map_err(failed("starting the container"))?;
        crash::point("create.started");
        let status = self.0.engine.inspect_container(&container).await.map_err(failed("looking at the container"))?;
        let Some(pid) = status.pid.and_then(|pid| i32::try_from(pid).ok()) else {
            return Err(ended_at_once(&status));
        };
        session.engine.started(pid.unsigned_abs());
        crash::point("create.inspected");
        self.0.store.set_running(&session.id, pid)?;
        crash::point("create.running-stored");
        link.expect(pid);
        let started = Instant::now();
        let up = tokio::select! {
            up = link.wait_up(GUEST_START) => up,
            () = session.engine.has_exited() => false,
        };
        if up {
            crash::point("create.guest-up");
            return Ok([
                ("prepare", prepared - began),
                ("make", made - prepared),
                ("start", started - made),
                ("guest", started.elapsed()),
            ]);
        }
        match self.0.engine.inspect_container(&container).await {
            Ok(status) if !status.running => Err(ended_at_once(&status)),
            _ => Err(AttachError::Silent(LinkError::Down)),
        }
    }

    /// Makes the network, with another subnet where the engine has one of its own in the way.
    async fn create_network(
        &self,
        session: &Session,
        subnet: Subnet,
        mut subnets: Subnets,
    ) -> Result<NetworkId, AttachError> {
        let mut spec = NetworkSpec { name: network_name(&session.id), subnet, labels: labels(session) };
        for _ in 0..=MAX_SUBNETS {
            match self.0.engine.create_network(&spec).await {
                Ok(id) => {
                    crash::point("create.network-created");
                    session.engine.network_created(id.clone());
                    self.0.store.set_network(&session.id, &id)?;
                    crash::point("create.network-stored");
                    return Ok(id);
                }
                Err(EngineError::SubnetTaken) => {
                    subnets.avoid.insert(spec.subnet);
                    let next = self.0.store.allot_subnet(subnets.pool, &subnets.avoid)?;
                    spec.subnet = next.ok_or(AttachError::NoSubnet)?;
                    self.0.store.set_subnet(&session.id, spec.subnet)?;
                    crash::point("create.subnet-stored");
                }
                Err(source) => return Err(AttachError::Engine { step: "creating the network", source }),
            }
        }
        Err(AttachError::NoSubnet)
    }

    /// The user's persistent home on this host, made if need be; `None` where the plan has none.
    async fn home(session: &Session, plan: &Plan) -> Result<Option<PathBuf>, AttachError> {
        let Some(homes) = plan.homes_dir.clone() else { return Ok(None) };
        let user = session.key.user.clone();
        // It may be on a disk of its own, or on a server far away.
        let made = tokio::task::spawn_blocking(move || home::make(homes.as_path(), &user)).await;
        Ok(Some(made.map_err(|error| AttachError::Files("cannot make the home", io::Error::other(error)))??))
    }

    /// Makes the container, pulling its image and varying its name where needed.
    async fn create_container(
        &self,
        session: &Session,
        plan: &Plan,
        home: Option<PathBuf>,
    ) -> Result<ContainerId, AttachError> {
        let guest = self.0.guest.path().await.map_err(|e| AttachError::Files("cannot copy the guest", e))?;
        let mut binds = guest_binds(guest, Link::directory(&self.0.sockets, &session.id));
        let mut entrypoint = vec![GUEST_BINARY.to_owned(), "guest".to_owned()];
        entrypoint.extend(session.uid.map(|uid| format!("{UID}={uid}")));
        if let Some(source) = home {
            let target = Path::new(HOMES).join(session.key.user.as_ref());
            binds.push(Bind { source, target, writable: true });
            entrypoint.push(PERSISTENT_HOME.to_owned());
        }
        if let Some(Dotfiles { repo, install }) = &plan.dotfiles {
            entrypoint.push(format!("{DOTFILES}={repo}"));
            entrypoint.extend(install.iter().map(|install| format!("{INSTALL}={install}")));
        }
        let name = session.engine.name();
        let mut spec = container_spec(plan, name, network_name(&session.id), labels(session), binds, entrypoint);
        spec.terminals = self.terminals(plan).await;
        let (mut pulled, mut renamed) = (false, false);
        loop {
            match self.0.engine.create_container(&spec).await {
                Ok(id) => {
                    crash::point("create.container-created");
                    session.engine.container_created(id.clone());
                    self.0.store.set_container(&session.id, &id)?;
                    crash::point("create.container-stored");
                    return Ok(id);
                }
                Err(EngineError::NoSuchImage(_)) if !pulled => {
                    self.pull(session, &plan.image).await?;
                    pulled = true;
                }
                Err(EngineError::NameTaken) if !renamed => {
                    spec.name = spec.name.unique(&session.id);
                    self.0.store.set_name(&session.id, &spec.name)?;
                    crash::point("create.name-stored");
                    session.engine.renamed(spec.name.clone());
                    renamed = true;
                }
                Err(source) => return Err(AttachError::Engine { step: "creating the container", source }),
            }
        }
    }

    async fn pull(&self, session: &Session, image: &crate::domain::ImageRef) -> Result<(), AttachError> {
        let mut layers = super::pull::Layers::new(image);
        session.lifecycle.report(layers.step());
        let mut report = |progress| {
            if let Some(step) = layers.update(progress) {
                session.lifecycle.report(step);
            }
        };
        self.0
            .engine
            .pull(image, &mut report)
            .await
            .map_err(|source| AttachError::Image { image: image.clone(), source })?;
        session.lifecycle.report(Step::new("creating the container"));
        Ok(())
    }
}

/// A container with a session's limits, hardening and network, whatever runs in it.
pub(super) fn container_spec(
    plan: &Plan,
    name: ContainerName,
    network: String,
    labels: Labels,
    binds: Vec<Bind>,
    entrypoint: Vec<String>,
) -> ContainerSpec {
    let mut hostname = name.to_string();
    hostname.truncate(MAX_HOSTNAME);
    ContainerSpec {
        name,
        hostname,
        image: plan.image.clone(),
        network,
        labels,
        limits: plan.limits,
        hardening: plan.hardening.clone(),
        terminals: None,
        binds,
        entrypoint,
        // The user's own variables go with every connection: a change takes effect at the next login.
        environment: Vec::new(),
        stop_timeout: STOP_TIMEOUT,
    }
}

/// What the container sees of the host: the guest's program, and the socket that it speaks on.
pub(super) fn guest_binds(program: PathBuf, sockets: PathBuf) -> Vec<Bind> {
    let bind = |source, target: &str| Bind { source, target: target.into(), writable: false };
    vec![bind(program, GUEST_BINARY), bind(sockets, GUEST_SOCKET_DIR)]
}

pub(super) fn ended_at_once(status: &ContainerStatus) -> AttachError {
    let exit_code = status.exit_code.unwrap_or_default();
    let source = EngineError::Refused(format!("the container ended at once with exit code {exit_code}"));
    AttachError::Engine { step: "starting the container", source }
}

/// Unlike a container's, nobody types a network's name: the id makes it unique.
pub(super) fn network_name(id: &SessionId) -> String {
    format!("podspawn-{id}")
}

fn labels(session: &Session) -> Labels {
    Labels { user: session.key.user.clone(), project: session.key.project.clone(), session: session.id.clone() }
}
