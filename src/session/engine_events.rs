//! Events of the engine: containers that end without podspawn.
//!
//! Usually the broken link to the guest shows that first, and also while the engine is away. Events are for containers
//! whose guest stays connected, and for changes during an absence of the engine or of the broker.

use super::Sessions;
use crate::{
    engine::{Engine, Notice},
    event::{Event, Subject},
};
use std::{
    cell::Cell,
    time::{Duration, Instant},
};
use tokio::{task, time};

/// First pause before the engine is asked again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl<E: Engine + 'static> Sessions<E> {
    /// Watches the engine for as long as this broker lives, and reports when it stops answering and when it answers again.
    ///
    /// Without sessions the engine is not asked: it may have been stopped, and its socket would start it.
    pub fn watch(&self) {
        let sessions = self.clone();
        task::spawn_local(async move {
            let (reached, mut pause) = (Cell::new(true), RETRY.0);
            loop {
                sessions.0.registry.not_empty().await;
                let began = Instant::now();
                let mut hear = |notice| {
                    if notice == Notice::Watching && !reached.replace(true) {
                        (sessions.0.observer)(&Subject::default(), &Event::EngineBack);
                    }
                    sessions.hear_engine(notice);
                };
                let error = sessions.0.engine.watch(&mut hear).await;
                sessions.0.engine_watch.lost();
                if reached.replace(false) {
                    (sessions.0.observer)(&Subject::default(), &Event::EngineLost { error: &error });
                }
                // An engine that fails at once is asked less and less often.
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
                self.0.engine_watch.begun();
                let sessions = self.clone();
                task::spawn_local(async move { sessions.inspect_all().await });
            }
            Notice::OutOfMemory { container } => {
                if let Some(session) = self.0.registry.find_container(&container) {
                    session.engine.ran_out_of_memory();
                }
            }
            Notice::Signalled { container, signal } => {
                if let Some(session) = self.0.registry.find_container(&container) {
                    session.engine.signalled(signal);
                }
            }
            Notice::Ended { container } | Notice::Removed { container } => {
                let Some(session) = self.0.registry.find_container(&container) else { return };
                if session.is_running() {
                    self.inspect(&session);
                } else {
                    // Its creation need not wait for the guest any longer.
                    session.engine.exited();
                }
            }
        }
    }
}
