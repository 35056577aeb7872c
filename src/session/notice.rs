//! What the engine tells by itself: containers that somebody else ended.
//!
//! A guest's broken connection usually tells first and works while the engine is away; this is for containers whose
//! guest says nothing, and for whatever happened while either the engine or the broker was away.

use super::{Sessions, live_session::Session};
use crate::{
    domain::ContainerId,
    engine::{Engine, EngineError, Notice},
};
use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{task, time};

/// First pause before the engine is asked again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Whether the engine is there, as far as watching it tells.
#[derive(Debug)]
pub enum Reach<'a> {
    /// It is away; this is why.
    Lost(&'a EngineError),
    /// It is back.
    Back,
}

impl<E: Engine + 'static> Sessions<E> {
    /// Watches the engine for as long as this broker lives. `report` is told when it goes away and comes back.
    ///
    /// An engine that nobody has a session on is left alone: it may have been stopped, and its socket would start it.
    pub fn watch(&self, report: impl Fn(&Reach<'_>) + 'static) {
        let sessions = self.clone();
        task::spawn_local(async move {
            let (reached, mut pause) = (Cell::new(true), RETRY.0);
            loop {
                while sessions.is_empty() {
                    sessions.0.begun.notified().await;
                }
                let began = Instant::now();
                let mut hear = |notice| {
                    if notice == Notice::Watching && !reached.replace(true) {
                        report(&Reach::Back);
                    }
                    sessions.hear_engine(notice);
                };
                let error = sessions.0.engine.watch(&mut hear).await;
                sessions.0.watched_since.set(None);
                if reached.replace(false) {
                    report(&Reach::Lost(&error));
                }
                // One that goes away as soon as it has come is not to be asked all the time.
                if began.elapsed() > RETRY.1 {
                    pause = RETRY.0;
                }
                time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        });
    }

    fn hear_engine(&self, notice: Notice) {
        match notice {
            Notice::Watching => {
                self.0.watched_since.set(Some(Instant::now()));
                // Whatever could not be removed while it was away.
                self.0.engine_back.notify_waiters();
                let sessions = self.clone();
                task::spawn_local(async move { sessions.examine_all().await });
            }
            Notice::OutOfMemory { container } => {
                if let Some(session) = self.find_container(&container) {
                    session.engine.ran_out_of_memory();
                }
            }
            Notice::Signalled { container, signal } => {
                if let Some(session) = self.find_container(&container) {
                    session.engine.signalled(signal);
                }
            }
            Notice::Ended { container } | Notice::Removed { container } => {
                let Some(session) = self.find_container(&container) else { return };
                if session.is_running() {
                    self.examine(&session);
                } else {
                    // Whoever waits for its guest need not.
                    session.engine.exited();
                }
            }
        }
    }

    fn find_container(&self, id: &ContainerId) -> Option<Rc<Session>> {
        self.0.live.borrow().values().find(|session| session.engine.is_container(id)).cloned()
    }
}
