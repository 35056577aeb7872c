//! One session as the broker holds it in memory.

use super::{Rules, deadlines::Deadlines, engine_side::EngineSide, guest_side::GuestSide, lifecycle::Lifecycle};
use crate::{
    domain::{SessionId, SessionKey, Span},
    protocol::varlink::SessionInfo,
    sys::tally::{Guard, Tally},
};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use tokio::{task::AbortHandle, time::sleep};

/// A session: what never changes, and one owner for each part that does.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) key: SessionKey,
    /// The image, as configured when the session was created.
    pub(super) image: String,
    /// The user's id inside; `None` in a container from before users had ids of their own.
    pub(super) uid: Option<u32>,
    /// When its row was written, in Unix seconds.
    pub(super) created: i64,
    pub(super) lifecycle: Lifecycle,
    pub(super) engine: EngineSide,
    pub(super) guest: GuestSide,
    rules: Cell<Rules>,
    /// Logins that are about to enter.
    entering: Tally,
    expiry: RefCell<Option<AbortHandle>>,
}

/// What a session is made of, and which never changes.
pub(super) struct Origin {
    pub(super) id: SessionId,
    pub(super) key: SessionKey,
    /// See [`Session::image`].
    pub(super) image: String,
    /// See [`Session::uid`].
    pub(super) uid: Option<u32>,
    /// See [`Session::created`].
    pub(super) created: i64,
}

impl Session {
    pub(super) fn new(
        Origin { id, key, image, uid, created }: Origin,
        rules: Rules,
        lifecycle: Lifecycle,
        engine: EngineSide,
        guest: GuestSide,
    ) -> Self {
        Self {
            id,
            key,
            image,
            uid,
            created,
            lifecycle,
            engine,
            guest,
            rules: Cell::new(rules),
            entering: Tally::default(),
            expiry: RefCell::new(None),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.lifecycle.is_running()
    }

    /// Whether no client is connected or about to enter.
    pub(super) fn is_deserted(&self) -> bool {
        self.entering.is_zero() && self.guest.connections() == 0
    }

    /// Counts the caller among the logins that are about to enter, until the guard is dropped.
    pub(super) fn enter(&self) -> Guard {
        self.entering.guard()
    }

    /// Waits for the guest until `patience` is over or the session does not run. Keeps the link no longer than that:
    /// dropping the link is what cuts the guest off.
    pub(super) async fn await_guest(&self, patience: Duration) {
        let guest = async {
            match self.guest.link() {
                Some(link) => drop(link.wait_up(patience).await),
                None => sleep(patience).await,
            }
        };
        tokio::select! {
            () = guest => {}
            () = self.lifecycle.stopped_running() => {}
        }
    }

    pub(super) fn rules(&self) -> Rules {
        self.rules.get()
    }

    /// Applies the rules of the last login; returns those of before.
    pub(super) fn replace_rules(&self, rules: Rules) -> Rules {
        self.rules.replace(rules)
    }

    /// What decides when it ends.
    pub(super) fn deadlines(&self) -> Deadlines {
        Deadlines {
            rules: self.rules(),
            created: self.created,
            abandoned: self.lifecycle.abandoned(),
            is_connected: self.guest.connections() > 0,
        }
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

    /// The session as others see it.
    pub(super) fn info(&self) -> SessionInfo {
        let Rules { mode, lifetime, .. } = self.rules();
        let SessionKey { user, project } = self.key.clone();
        let abandoned = self.lifecycle.shown_abandoned();
        SessionInfo {
            id: self.id.clone(),
            user,
            project,
            container: self.engine.name(),
            state: self.lifecycle.state(),
            connections: u32::try_from(self.guest.connections()).unwrap_or(u32::MAX),
            uid: self.uid,
            created: self.created,
            image: self.image.clone(),
            mode,
            lifetime: lifetime.map(Span::as_secs),
            abandoned,
            ends: Deadlines { abandoned, ..self.deadlines() }.end(),
        }
    }
}
