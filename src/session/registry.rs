//! The sessions that exist, by their keys, and the verifications beside them.

use super::{Capacity, live_session::Session};
use crate::{
    domain::{ContainerId, SessionId, SessionKey, UserName},
    policy::Denial,
    protocol::varlink::SessionInfo,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};
use tokio::sync::Notify;

/// All sessions of this host. One per key.
#[derive(Default)]
pub(super) struct Registry {
    live: RefCell<BTreeMap<SessionKey, Rc<Session>>>,
    /// What carries our label and belongs to no session, because an image is being verified.
    verifying: RefCell<BTreeSet<SessionId>>,
    begun: Notify,
}

impl Registry {
    pub(super) fn insert(&self, session: &Rc<Session>) {
        self.live.borrow_mut().insert(session.key.clone(), Rc::clone(session));
        self.begun.notify_one();
    }

    /// Takes a session out; its key is free.
    pub(super) fn remove(&self, id: &SessionId) {
        self.live.borrow_mut().retain(|_, session| session.id != *id);
    }

    pub(super) fn find(&self, key: &SessionKey) -> Option<Rc<Session>> {
        self.live.borrow().get(key).cloned()
    }

    pub(super) fn find_id(&self, id: &SessionId) -> Option<Rc<Session>> {
        self.live.borrow().values().find(|session| session.id == *id).cloned()
    }

    pub(super) fn find_container(&self, id: &ContainerId) -> Option<Rc<Session>> {
        self.live.borrow().values().find(|session| session.engine.is_container(id)).cloned()
    }

    /// Every session, by user and project.
    pub(super) fn all(&self) -> Vec<Rc<Session>> {
        self.live.borrow().values().cloned().collect()
    }

    /// The sessions that run.
    pub(super) fn running(&self) -> Vec<Rc<Session>> {
        self.live.borrow().values().filter(|session| session.is_running()).cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.borrow().is_empty()
    }

    /// How many sessions exist, and how many connections.
    pub(super) fn counts(&self) -> (usize, usize) {
        let live = self.live.borrow();
        (live.len(), live.values().map(|session| session.guest.connections()).sum())
    }

    /// The sessions of `user`, or of all users, by user and project.
    pub(super) fn list(&self, user: Option<&UserName>) -> Vec<SessionInfo> {
        let live = self.live.borrow();
        live.values()
            .filter(|session| user.is_none_or(|user| session.key.user == *user))
            .map(|session| session.info())
            .collect()
    }

    /// Waits until a session exists.
    pub(super) async fn not_empty(&self) {
        while self.is_empty() {
            self.begun.notified().await;
        }
    }

    /// Whether another session of `key` may begin.
    pub(super) fn check_capacity(&self, key: &SessionKey, capacity: &Capacity) -> Result<(), Denial> {
        let live = self.live.borrow();
        // A session that is being removed does not keep its user from the next.
        let is_own = |other: &&Rc<Session>| other.key.user == key.user && other.lifecycle.is_wanted();
        let own: Vec<_> = live.values().filter(is_own).map(|one| &one.key).collect();
        if own.len() >= capacity.per_user as usize {
            return Err(Denial::TooManySessions {
                sessions: u32::try_from(own.len()).unwrap_or(u32::MAX),
                limit: capacity.per_user,
                free: own.first().map_or_else(|| key.clone(), |first| (*first).clone()),
            });
        }
        if live.len() >= capacity.total as usize {
            return Err(Denial::TooManyContainers { limit: capacity.total });
        }
        Ok(())
    }

    /// Adds a verification; false if there are `most` already.
    pub(super) fn begin_verification(&self, id: &SessionId, most: usize) -> bool {
        let mut verifying = self.verifying.borrow_mut();
        verifying.len() < most && verifying.insert(id.clone())
    }

    pub(super) fn end_verification(&self, id: &SessionId) {
        self.verifying.borrow_mut().remove(id);
    }

    /// Whether a label with this id is one of a session or of a verification.
    pub(super) fn is_in_use(&self, id: &SessionId) -> bool {
        self.find_id(id).is_some() || self.verifying.borrow().contains(id)
    }
}
