//! Creating a session: its socket, home, network and container, and the wait for its guest.

use super::{
    AttachError, Sessions, home,
    live_session::Session,
    provision::{Checkpoints, Piece, Provision},
    pull::pull,
    spec::{container_spec, guest_binds},
    subnets::Subnets,
};
use crate::{
    config::Dotfiles,
    domain::{Bind, ContainerId, ContainerName, ImageRef, NetworkId, Subnet},
    engine::{ContainerStatus, Engine, EngineError, Labels},
    event::Event,
    link::{Link, LinkError},
    policy::Plan,
    protocol::{
        guest::{DOTFILES, GUEST_BINARY, HOMES, INSTALL, PERSISTENT_HOME, UID},
        varlink::Step,
    },
    sys::crash,
};
use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

/// How long a new container's guest may take to connect: it does so first of all, but a busy machine is slow.
const GUEST_START: Duration = Duration::from_secs(20);

impl<E: Engine + 'static> Sessions<E> {
    /// Creates a session in a task of its own, which outlives the client that asked for it.
    pub(super) fn spawn_creation(&self, session: Rc<Session>, plan: Plan, subnet: Subnet, subnets: Subnets) {
        let sessions = self.clone();
        tokio::task::spawn_local(async move {
            match sessions.create(&session, &plan, subnet, subnets).await {
                Ok(phases) => {
                    let (image, mode) = (session.image.as_str(), session.rules().mode);
                    sessions.notify(&session, &Event::ContainerCreate { image, mode, phases: &phases });
                    session.lifecycle.started();
                    sessions.arm(&session);
                    // Waiting clients are woken now; if there is none, the client went away during the creation.
                    sessions.check_deserted(&session);
                }
                Err(error) => {
                    sessions.notify(&session, &Event::ContainerCreateFailed { error: &error });
                    sessions.undo(&session, error).await;
                }
            }
        });
    }

    /// Returns how long each part took.
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
        let container = self.make(session, plan, home, subnet, subnets).await?;
        let made = Instant::now();
        link.expect(self.start(session, &container).await?);
        let started = Instant::now();
        self.await_new_guest(session, &link, &container).await?;
        crash::point("create.guest-up");
        Ok([
            ("prepare", prepared - began),
            ("make", made - prepared),
            ("start", started - made),
            ("guest", started.elapsed()),
        ])
    }

    /// Makes network and container, and opens the socket to all processes of the container if that is needed.
    async fn make(
        &self,
        session: &Session,
        plan: &Plan,
        home: Option<PathBuf>,
        subnet: Subnet,
        subnets: Subnets,
    ) -> Result<ContainerId, AttachError> {
        let provision = self.provision(session);
        // The engine looks the network up when the container starts, so neither waits for the other.
        let (network, container, is_closed) = tokio::join!(
            provision.create_network(subnet, subnets),
            self.create_container(&provision, session, plan, home),
            async { self.isolation().await.is_some_and(|isolation| isolation.root_overrides_modes(plan)) }
        );
        network?;
        let container = container?;
        if !is_closed {
            Link::open_to_all(&self.0.sockets, &session.id)
                .map_err(|error| AttachError::Files("cannot open the socket to the container", error))?;
        }
        Ok(container)
    }

    async fn create_container(
        &self,
        provision: &Provision<'_, E, RowCheckpoints<'_, E>>,
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
        let mut spec = container_spec(plan, session.engine.name(), provision.labels.clone(), binds, entrypoint);
        spec.terminals = self.isolation().await.and_then(|isolation| isolation.terminals(plan));
        provision.create_container(spec).await
    }

    /// Starts the container; returns its first process.
    async fn start(&self, session: &Session, container: &ContainerId) -> Result<i32, AttachError> {
        let failed = |step| move |source| AttachError::Engine { step, source };
        self.0.engine.start_container(container).await.map_err(failed("starting the container"))?;
        crash::point("create.started");
        let status = self.0.engine.inspect_container(container).await.map_err(failed("looking at the container"))?;
        let Some(init) = status.pid.and_then(|pid| i32::try_from(pid).ok()) else {
            return Err(ended_at_once(&status));
        };
        session.engine.started(init.unsigned_abs());
        crash::point("create.inspected");
        self.0.store.set_running(&session.id, init)?;
        crash::point("create.running-stored");
        Ok(init)
    }

    async fn await_new_guest(
        &self,
        session: &Session,
        link: &Link,
        container: &ContainerId,
    ) -> Result<(), AttachError> {
        let is_up = tokio::select! {
            is_up = link.wait_up(GUEST_START) => is_up,
            () = session.engine.has_exited() => false,
        };
        if is_up {
            return Ok(());
        }
        match self.0.engine.inspect_container(container).await {
            Ok(status) if !status.running => Err(ended_at_once(&status)),
            _ => Err(AttachError::Silent(LinkError::Down)),
        }
    }

    /// The user's persistent home on this host, made if need be; `None` if the plan has none.
    async fn home(session: &Session, plan: &Plan) -> Result<Option<PathBuf>, AttachError> {
        let Some(homes) = plan.homes_dir.clone() else { return Ok(None) };
        let user = session.key.user.clone();
        // It may be on a disk of its own, or on a remote server.
        let made = tokio::task::spawn_blocking(move || home::make(homes.as_path(), &user)).await;
        Ok(Some(made.map_err(|error| AttachError::Files("cannot make the home", io::Error::other(error)))??))
    }

    /// Makes and removes what the session has of the engine, and writes that to its row.
    pub(super) fn provision<'a>(&'a self, session: &'a Session) -> Provision<'a, E, RowCheckpoints<'a, E>> {
        let (user, project) = (session.key.user.clone(), session.key.project.clone());
        Provision {
            sessions: self,
            labels: Labels { user, project, session: session.id.clone() },
            made: &session.engine,
            checkpoints: RowCheckpoints { sessions: self, session },
        }
    }
}

/// Writes each step of a session's provisioning to its row.
pub(super) struct RowCheckpoints<'a, E> {
    sessions: &'a Sessions<E>,
    session: &'a Session,
}

impl<E: Engine + 'static> Checkpoints for RowCheckpoints<'_, E> {
    type Error = AttachError;

    async fn pull(&self, image: &ImageRef) -> Result<(), AttachError> {
        let report = |step| {
            self.session.lifecycle.report(step);
        };
        pull(&self.sessions.0.engine, image, report).await?;
        self.session.lifecycle.report(Step::new("creating the container"));
        Ok(())
    }

    fn network_created(&self, id: &NetworkId) -> Result<(), AttachError> {
        crash::point("create.network-created");
        self.sessions.0.store.set_network(&self.session.id, id)?;
        crash::point("create.network-stored");
        Ok(())
    }

    fn subnet_changed(&self, subnet: Subnet) -> Result<(), AttachError> {
        self.sessions.0.store.set_subnet(&self.session.id, subnet)?;
        crash::point("create.subnet-stored");
        Ok(())
    }

    fn container_created(&self, id: &ContainerId) -> Result<(), AttachError> {
        crash::point("create.container-created");
        self.sessions.0.store.set_container(&self.session.id, id)?;
        crash::point("create.container-stored");
        Ok(())
    }

    fn renamed(&self, name: &ContainerName) -> Result<(), AttachError> {
        self.sessions.0.store.set_name(&self.session.id, name)?;
        crash::point("create.name-stored");
        Ok(())
    }

    fn removed(&self, piece: Piece) {
        match piece {
            Piece::Container => crash::point("destroy.container-removed"),
            Piece::FoundContainer => crash::point("destroy.found-container-removed"),
            Piece::Network => crash::point("destroy.network-removed"),
            Piece::FoundNetwork => crash::point("destroy.found-network-removed"),
            Piece::Directory => crash::point("destroy.directory-removed"),
        }
    }
}

/// The container ended before its guest connected.
pub(super) fn ended_at_once(status: &ContainerStatus) -> AttachError {
    let exit_code = status.exit_code.unwrap_or_default();
    let source = EngineError::Refused(format!("the container ended at once with exit code {exit_code}"));
    AttachError::Engine { step: "starting the container", source }
}
