//! Whether the engine sends its events, and since when.

use std::{cell::Cell, time::Instant};
use tokio::sync::Notify;

/// Whether events of the engine are received.
#[derive(Default)]
pub(super) struct EngineWatch {
    since: Cell<Option<Instant>>,
    regained: Notify,
}

impl EngineWatch {
    /// Events are received from now on. What could not be removed meanwhile is tried again.
    pub(super) fn begun(&self) {
        self.since.set(Some(Instant::now()));
        self.regained.notify_waiters();
    }

    /// No events are received until the next [`Self::begun`].
    pub(super) fn lost(&self) {
        self.since.set(None);
    }

    /// Since when events are received, if they are.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since.get()
    }

    /// Waits until events are received again.
    pub(super) async fn regained(&self) {
        self.regained.notified().await;
    }
}
