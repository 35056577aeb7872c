//! One session as the broker holds it in memory.

use super::{AttachError, Rules, Summary, examine::Examination};
use crate::{
    domain::{ChannelId, ContainerId, ContainerName, NetworkId, SessionId, SessionKey, State},
    link::Link,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

/// Time between two reports of one session's [`Invented`] channels.
const INVENTED_PAUSE: Duration = Duration::from_secs(600);

/// What is being done for whoever waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// For people: `pulling debian:12`.
    pub text: String,
    /// Bytes done, if known.
    pub done: Option<u64>,
    /// Bytes in all, if known.
    pub total: Option<u64>,
}

impl Step {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Where the session is, as those who wait for it see it.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Creating(Step),
    Running,
    Destroying,
    /// It could not be created; what was made is removed or being removed.
    Failed(Arc<AttachError>),
    /// It exists no more.
    Gone,
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) key: SessionKey,
    pub(super) name: RefCell<ContainerName>,
    pub(super) image: String,
    /// The user's id inside; `None` in a container from before users had ids of their own.
    pub(super) uid: Option<u32>,
    pub(super) created: i64,
    pub(super) rules: Cell<Rules>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) container: RefCell<Option<ContainerId>>,
    pub(super) network: RefCell<Option<NetworkId>>,
    pub(super) link: RefCell<Option<Rc<Link>>>,
    /// Open connections, as the guest tells them.
    pub(super) channels: RefCell<BTreeSet<ChannelId>>,
    /// Those that were ended because nothing went through them, until the guest has said that they are over.
    pub(super) ended_idle: RefCell<BTreeSet<ChannelId>>,
    /// Its guest may hold channels of a broker that wrote none down: the next greeting is believed.
    pub(super) inherits: Cell<bool>,
    /// What the guest invents.
    pub(super) invented: Invented,
    /// Those of which nothing is written, since their user has had too much written.
    pub(super) unlogged: RefCell<BTreeSet<ChannelId>>,
    /// When the guest was last asked for a process.
    pub(super) last_open: Cell<Option<Instant>>,
    /// The version of the guest protocol that is spoken, as it was last written down.
    pub(super) protocol: Cell<Option<u32>>,
    /// Since when nobody has been connected, in Unix seconds, once that was noticed.
    pub(super) abandoned: Cell<Option<i64>>,
    /// The container's first process on this host, once it is known.
    pub(super) init: Cell<Option<u32>>,
    /// The signal that the container was last sent by way of the engine, of those that matter.
    pub(super) signal: Cell<Option<i32>>,
    /// When a process in the container last had not enough memory.
    pub(super) memory: Cell<Option<Instant>>,
    /// The container ended before the session ran.
    pub(super) died: Notify,
    /// Whether a task looks after the guest's absence.
    pub(super) looked_after: Cell<bool>,
    /// Why its connections are being ended, once they are; nobody enters then.
    pub(super) closing: RefCell<Option<String>>,
    /// Whether it has been told that it is removed.
    pub(super) destroy_recorded: Cell<bool>,
    /// How often it could not be removed, and why.
    pub(super) remains: watch::Sender<(u32, Option<Arc<AttachError>>)>,
    /// Somebody waits for its removal.
    pub(super) hurry: Notify,
    /// Whether a task looks at the container.
    pub(super) examination: Cell<Examination>,
    /// Attaches in progress: a session that somebody is about to enter is not abandoned.
    waiting: Cell<u32>,
    expiry: RefCell<Option<AbortHandle>>,
}

/// What a session was made of, which never changes.
pub(super) struct Origin {
    /// The image, as configured then.
    pub(super) image: String,
    /// See [`Session::uid`].
    pub(super) uid: Option<u32>,
    /// Unix seconds.
    pub(super) created: i64,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        key: SessionKey,
        name: ContainerName,
        Origin { image, uid, created }: Origin,
        rules: Rules,
        phase: Phase,
    ) -> Self {
        Self {
            id,
            key,
            name: RefCell::new(name),
            image,
            uid,
            created,
            rules: Cell::new(rules),
            phase: watch::Sender::new(phase),
            container: RefCell::new(None),
            network: RefCell::new(None),
            link: RefCell::new(None),
            channels: RefCell::new(BTreeSet::new()),
            ended_idle: RefCell::new(BTreeSet::new()),
            inherits: Cell::new(false),
            invented: Invented::default(),
            unlogged: RefCell::new(BTreeSet::new()),
            last_open: Cell::new(None),
            protocol: Cell::new(None),
            abandoned: Cell::new(None),
            init: Cell::new(None),
            signal: Cell::new(None),
            memory: Cell::new(None),
            died: Notify::new(),
            looked_after: Cell::new(false),
            closing: RefCell::new(None),
            destroy_recorded: Cell::new(false),
            remains: watch::Sender::default(),
            hurry: Notify::new(),
            examination: Cell::default(),
            waiting: Cell::new(0),
            expiry: RefCell::new(None),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.channels.borrow().len()
    }

    /// Whether it is there to stay for now.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Creating(_) | Phase::Running)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Running)
    }

    /// Whether nobody is connected or about to be.
    pub(super) fn is_deserted(&self) -> bool {
        self.waiting.get() == 0 && self.channels.borrow().is_empty()
    }

    /// Counts the caller among those who are about to enter, until the guard is dropped.
    pub(super) fn wait(self: &Rc<Self>) -> Waiting {
        self.waiting.set(self.waiting.get() + 1);
        Waiting(Rc::clone(self))
    }

    /// Replaces the timer that will end this session.
    pub(super) fn set_expiry(&self, timer: Option<AbortHandle>) {
        if let Some(old) = self.expiry.replace(timer) {
            old.abort();
        }
    }

    /// Takes the timer out without stopping it, for the timer itself.
    pub(super) fn disarm(&self) {
        drop(self.expiry.take());
    }

    pub(super) fn link(&self) -> Option<Rc<Link>> {
        self.link.borrow().clone()
    }

    /// Tells everybody who is connected at a terminal.
    pub(super) fn notify(&self, text: &str) {
        if let Some(link) = self.link() {
            // Best effort: a guest that is away has more to worry about.
            let _ = link.notify(text);
        }
    }

    fn state(&self) -> State {
        match &*self.phase.borrow() {
            Phase::Creating(_) => State::Creating,
            Phase::Running if self.abandoned.get().is_some() => State::Grace,
            Phase::Running => State::Running,
            Phase::Destroying | Phase::Failed(_) | Phase::Gone => State::Destroying,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            key: self.key.clone(),
            container: self.name.borrow().clone(),
            state: self.state(),
            connections: self.connections(),
            uid: self.uid,
            created: self.created,
            image: self.image.clone(),
            mode: self.rules.get().mode,
            lifetime: self.rules.get().lifetime,
            abandoned: self.abandoned.get(),
            ends: super::expire::end(self),
        }
    }
}

/// Counts the channels that a guest names and the broker did not open, and says seldom how many there were.
#[derive(Default)]
pub(super) struct Invented {
    count: Cell<usize>,
    told: Cell<Option<Instant>>,
}

impl Invented {
    /// Counts so many more; returns how many there were since the last report, if another is due.
    pub(super) fn count(&self, more: usize) -> Option<usize> {
        let count = self.count.get().saturating_add(more);
        let is_due = count > 0 && self.told.get().is_none_or(|at| at.elapsed() >= INVENTED_PAUSE);
        self.count.set(if is_due { 0 } else { count });
        is_due.then(|| {
            self.told.set(Some(Instant::now()));
            count
        })
    }
}

/// See [`Session::wait`].
pub(super) struct Waiting(Rc<Session>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}
