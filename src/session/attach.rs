//! Entering a session: finding or beginning it, waiting for it, opening a channel.

use super::{
    AttachError, Capacity, Rules, Sessions,
    allowance::CONTAINER,
    clock::now,
    engine_side::EngineSide,
    guest_side::GuestSide,
    lifecycle::{Lifecycle, Phase},
    live_session::{Origin, Session},
    subnets::Subnets,
    uids,
};
use crate::{
    domain::{ChannelId, ContainerName, SessionId, SessionKey},
    engine::Engine,
    event::{Event, Subject},
    link::LinkError,
    policy::Plan,
    protocol::{
        guest::{Login, MAX_CHANNELS, Open, Program},
        varlink::Step,
    },
    store::NewSession,
    sys::{crash, random, seqpacket},
};
use rustix::net::SocketFlags;
use std::{os::fd::OwnedFd, rc::Rc, time::Duration};
use tokio::time::sleep;

/// How long a guest may take to connect again after the broker came back. It watches for the socket, so milliseconds
/// are usual; a machine that is swapping takes longer.
const RECONNECT: Duration = Duration::from_secs(3);

/// How often the removal of the user's last container may fail before a login that waits for it is refused.
const REMOVAL_TRIES: u32 = 3;

/// A validated login.
#[derive(Debug, Clone)]
pub struct Request {
    /// The user and the project.
    pub key: SessionKey,
    /// How the container is made if there is none.
    pub plan: Plan,
    /// The limits.
    pub capacity: Capacity,
    /// The program to run.
    pub program: Program,
    /// Variables for the program.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A channel into a container.
#[derive(Debug)]
pub struct Attached {
    /// The client's end of the channel's socket pair.
    pub channel: OwnedFd,
    /// Its identity.
    pub id: ChannelId,
    /// The session.
    pub session: SessionId,
    /// The container's name at the engine.
    pub container: ContainerName,
}

impl<E: Engine + 'static> Sessions<E> {
    /// Opens a channel, creating the session if there is none. `progress` gets each step that it waits for.
    ///
    /// Dropping the future does not stop a creation: other clients may wait for it.
    pub async fn attach(&self, request: &Request, progress: &mut dyn FnMut(&Step)) -> Result<Attached, AttachError> {
        loop {
            let session = if let Some(session) = self.0.registry.find(&request.key) {
                session
            } else if let Some(wait) = self.0.allowance.shortage(&request.key.user, CONTAINER) {
                // The creation and the removal of a container are always logged: the user has to wait.
                sleep(wait).await;
                continue;
            } else {
                let Request { key, plan, capacity, .. } = request;
                self.0.registry.check_capacity(key, capacity).map_err(AttachError::Denied)?;
                let uid = uids::allot(&self.0.store, &key.user, plan.uid_range, capacity.accounts).await?;
                // Another login may have begun it meanwhile.
                match self.0.registry.find(key) {
                    Some(session) => session,
                    None => self.begin(request, uid)?,
                }
            };
            let attached = {
                let _entering = session.enter();
                self.enter(&session, request, progress).await
            };
            // If it failed, or the client went away meanwhile, the session may have no client left.
            self.check_deserted(&session);
            match attached {
                Ok(Some(attached)) => return Ok(attached),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the row and starts the creation. Nothing is awaited: the next login finds the session.
    fn begin(&self, request: &Request, uid: u32) -> Result<Rc<Session>, AttachError> {
        let Request { key, plan, capacity, .. } = request;
        self.0.registry.check_capacity(key, capacity).map_err(AttachError::Denied)?;
        self.0.allowance.charge(&key.user, CONTAINER);
        let subnets = Subnets::of(capacity.pool, (capacity.routes)())?;
        let subnet = self.0.store.allot_subnet(subnets.pool, &subnets.avoid)?.ok_or(AttachError::NoSubnet)?;
        let id = SessionId::from_bits(random()?);
        let rules = Rules::of(plan);
        let name = ContainerName::of(key);
        let created = now();
        let row = NewSession {
            id: id.clone(),
            key: key.clone(),
            mode: plan.mode,
            image: plan.image.clone(),
            container_name: name.clone(),
            subnet,
            uid,
            created_at: created,
        };
        self.record_first(
            &Subject::session(key, &id, &name, None),
            Event::ContainerCreate { image: plan.image.as_ref(), mode: plan.mode, phases: &[] },
            |store| store.insert(&row),
            |store| store.delete(&id),
        )?;
        crash::point("attach.row-written");
        let session = Rc::new(Session::new(
            Origin { id, key: key.clone(), image: plan.image.to_string(), uid: Some(uid), created },
            rules,
            Lifecycle::created(Step::new("creating the container")),
            EngineSide::new(name),
            GuestSide::new(),
        ));
        self.0.registry.insert(&session);
        self.spawn_creation(Rc::clone(&session), plan.clone(), subnet, subnets);
        Ok(session)
    }

    /// Waits for the session and opens a channel; `None` if it is gone meanwhile and another must be begun.
    async fn enter(
        &self,
        session: &Rc<Session>,
        request: &Request,
        progress: &mut dyn FnMut(&Step),
    ) -> Result<Option<Attached>, AttachError> {
        let mut phase = session.lifecycle.watch();
        loop {
            let current = phase.borrow_and_update().clone();
            match current {
                Phase::Running { .. } => break,
                Phase::Creating { progress: step } => {
                    progress(&step);
                    if phase.changed().await.is_err() {
                        return Ok(None);
                    }
                }
                Phase::Closing { .. } | Phase::Destroying { .. } | Phase::Undoing { .. } => {
                    progress(&Step::new("waiting for the last container to be removed"));
                    session.lifecycle.await_removal(REMOVAL_TRIES).await.map_err(AttachError::Remains)?;
                }
                Phase::Failed { error, .. } => return Err(AttachError::Shared(error)),
                Phase::Gone => return Ok(None),
            }
        }
        match self.open(session, request) {
            Err(AttachError::Silent(LinkError::Down)) => {}
            result => return result.map(Some),
        }
        // The broker was restarted a moment ago, or the container has just died.
        let reconnected = match session.guest.link() {
            Some(link) => link.wait_up(RECONNECT).await,
            None => false,
        };
        if !session.is_running() {
            return Ok(None);
        }
        if reconnected {
            return self.open(session, request).map(Some);
        }
        match self.destroy_if_dead(session).await {
            Ok(true) => Ok(None),
            Ok(false) => Err(AttachError::Silent(LinkError::Down)),
            Err(source) => Err(AttachError::Engine { step: "looking for the container", source }),
        }
    }

    /// Asks the guest for a process on a new channel.
    fn open(&self, session: &Rc<Session>, request: &Request) -> Result<Attached, AttachError> {
        // An honest guest refuses as many; one that never reports the end of a channel must not fill our memory.
        if session.guest.connections() >= MAX_CHANNELS {
            return Err(AttachError::TooManyConnections);
        }
        let link = session.guest.link().filter(|link| link.is_up()).ok_or(LinkError::Down)?;
        let (ours, theirs) = seqpacket::pair(SocketFlags::empty())
            .map_err(|error| AttachError::Files("cannot make a channel", error.into()))?;
        let channel = ChannelId(random()?);
        let open = Open {
            channel,
            login: Login { name: session.key.user.clone(), shell: request.plan.shell.to_string() },
            program: request.program.clone(),
            environment: environment(request),
        };
        let run = self.connecting(session, channel, &request.program)?;
        crash::point("attach.connect-written");
        if let Err(error) = link.open(open, &theirs) {
            self.disconnected(session, channel, None, Some("the container did not take it"));
            return Err(error.into());
        }
        crash::point("attach.channel-opened");
        session.guest.opened(channel);
        self.connected(session, channel, &run);
        let rules = Rules::of(&request.plan);
        link.set_idle_timeout(rules.idle_timeout.as_secs());
        // The session goes on whether or not this can be written: the next login brings the mode again.
        if session.replace_rules(rules).mode != rules.mode {
            if let Err(error) = self.0.store.set_mode(&session.id, rules.mode) {
                tracing::debug!(%error, session = %session.id, "writing the session's mode");
            }
            crash::point("attach.mode-stored");
        }
        self.occupy(session);
        Ok(Attached { channel: ours, id: channel, session: session.id.clone(), container: session.engine.name() })
    }
}

/// The user's own variables, then those of the client.
fn environment(request: &Request) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = request.plan.env.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()));
    own.chain(request.environment.iter().cloned()).collect()
}

/// 64 random bits of the kernel.
pub(super) fn random() -> Result<u64, AttachError> {
    let bytes = random::bytes().map_err(|error| AttachError::Files("no random numbers", error))?;
    Ok(u64::from_ne_bytes(bytes))
}
