//! The lifecycle of a session: its phases, and the only code that changes one into another.
//!
//! ```text
//! Creating ──started──▶ Running ──destroy──▶ Destroying ──removed──▶ Gone
//!     │                    └──close──▶ Closing ──closed──▶ ▲
//!     └──fail──▶ Undoing ──report_failure──▶ Failed
//! ```
//!
//! Invariants:
//! - A client can enter only in `Running`. No phase leads back to it, so a removal that has begun is always completed.
//! - The end of a session is recorded exactly once, and before its row is deleted: deleting the row takes a
//!   [`DestroyRecorded`], which only [`Lifecycle::record_destroy`] returns.
//! - A session that was not created stays `Failed` after its removal: clients that waited for it have yet to read why.
//! - A transition that is illegal in the present phase changes nothing and wakes no task. Its method returns false.

use super::AttachError;
use crate::{domain::State, protocol::varlink::Step};
use std::{future, sync::Arc};
use tokio::sync::{Notify, watch};

/// A phase, with the data that exist in it only.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// The row is written; container and network are being made.
    Creating { progress: Step },
    /// The container runs. `abandoned`: since when it has no connection, in Unix seconds.
    Running { abandoned: Option<i64> },
    /// Its connections were hung up and may still deliver their last bytes.
    Closing { reason: String, removal: Removal },
    /// Container, network and row are being removed.
    Destroying { removal: Removal },
    /// The creation failed; what it made is being removed before the waiting clients get the error.
    Undoing { error: Arc<AttachError>, removal: Removal },
    /// The creation failed, and the clients may know. Its remains may still have to be removed.
    Failed { error: Arc<AttachError>, removal: Removal },
    /// It no longer exists.
    Gone,
}

/// How far a removal is.
#[derive(Debug, Clone, Default)]
pub(super) struct Removal {
    /// Whether the state and the audit log have it.
    recorded: bool,
    /// How often it failed, and the last error.
    failures: u32,
    last_error: Option<Arc<AttachError>>,
    /// Since when the session had no connection when the removal began.
    abandoned: Option<i64>,
}

impl Phase {
    fn removal(&mut self) -> Option<&mut Removal> {
        match self {
            Self::Closing { removal, .. }
            | Self::Destroying { removal }
            | Self::Undoing { removal, .. }
            | Self::Failed { removal, .. } => Some(removal),
            Self::Creating { .. } | Self::Running { .. } | Self::Gone => None,
        }
    }

    /// The present removal, in the phases in which clients wait for its end.
    fn awaited_removal(&self) -> Option<&Removal> {
        match self {
            Self::Closing { removal, .. } | Self::Destroying { removal } | Self::Undoing { removal, .. } => {
                Some(removal)
            }
            _ => None,
        }
    }
}

/// Proof that the end of a session is recorded: its row may be deleted.
#[must_use]
pub(super) struct DestroyRecorded(());

/// The phase of one session, watched by the tasks that wait for it.
pub(super) struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// A client waits for the removal.
    hurry: Notify,
}

impl Lifecycle {
    fn new(phase: Phase) -> Self {
        Self { phase: watch::Sender::new(phase), hurry: Notify::new() }
    }

    /// A session whose row was written a moment ago.
    pub(super) fn created(progress: Step) -> Self {
        Self::new(Phase::Creating { progress })
    }

    /// The session of a row that an earlier broker wrote. Without a container, or in the middle of its creation, it is
    /// removed. `abandoned`: since when it has had no connection, if the row says that it has none.
    pub(super) fn restored(state: State, has_container: bool, abandoned: i64) -> Self {
        Self::new(match state {
            State::Running if has_container => Phase::Running { abandoned: None },
            State::Grace if has_container => Phase::Running { abandoned: Some(abandoned) },
            _ => {
                let removal = Removal { recorded: state == State::Destroying, ..Removal::default() };
                Phase::Destroying { removal }
            }
        })
    }

    // Transitions.

    fn change(&self, transition: impl FnOnce(&Phase) -> Option<Phase>) -> bool {
        self.phase.send_if_modified(|phase| match transition(phase) {
            Some(next) => {
                *phase = next;
                true
            }
            None => false,
        })
    }

    /// Creating: replaces the step that waiting clients see.
    pub(super) fn report(&self, progress: Step) -> bool {
        self.change(|phase| matches!(phase, Phase::Creating { .. }).then_some(Phase::Creating { progress }))
    }

    /// Creating → Running.
    pub(super) fn started(&self) -> bool {
        self.change(|phase| matches!(phase, Phase::Creating { .. }).then_some(Phase::Running { abandoned: None }))
    }

    /// Creating → Undoing.
    pub(super) fn fail(&self, error: Arc<AttachError>) -> bool {
        let undoing = |error| Phase::Undoing { error, removal: Removal::default() };
        self.change(|phase| matches!(phase, Phase::Creating { .. }).then(|| undoing(error)))
    }

    /// Running: the session has had no connection since `since`. Does not move an earlier moment.
    pub(super) fn abandon(&self, since: i64) -> bool {
        let abandoned = Phase::Running { abandoned: Some(since) };
        self.change(|phase| matches!(phase, Phase::Running { abandoned: None }).then_some(abandoned))
    }

    /// Running: the session has a connection, or is about to. True if it was abandoned.
    pub(super) fn occupy(&self) -> bool {
        let occupied = Phase::Running { abandoned: None };
        self.change(|phase| matches!(phase, Phase::Running { abandoned: Some(_) }).then_some(occupied))
    }

    /// Running: moves the moment at which the session was abandoned to `now` if it is later. The clock was set back.
    pub(super) fn abandoned_by(&self, now: i64) -> bool {
        self.change(|phase| match phase {
            Phase::Running { abandoned: Some(since) } if *since > now => Some(Phase::Running { abandoned: Some(now) }),
            _ => None,
        })
    }

    /// Running → Closing.
    pub(super) fn close(&self, reason: &str) -> bool {
        self.change(|phase| match *phase {
            Phase::Running { abandoned } => {
                Some(Phase::Closing { reason: reason.to_owned(), removal: Removal { abandoned, ..Removal::default() } })
            }
            _ => None,
        })
    }

    /// Closing → Destroying.
    pub(super) fn closed(&self) -> bool {
        self.change(|phase| match phase {
            Phase::Closing { removal, .. } => Some(Phase::Destroying { removal: removal.clone() }),
            _ => None,
        })
    }

    /// Running → Destroying.
    pub(super) fn destroy(&self) -> bool {
        self.change(|phase| match *phase {
            Phase::Running { abandoned } => {
                Some(Phase::Destroying { removal: Removal { abandoned, ..Removal::default() } })
            }
            _ => None,
        })
    }

    /// Undoing → Failed: the waiting clients get the error, though something may be left to remove.
    pub(super) fn report_failure(&self) -> bool {
        self.change(|phase| match phase {
            Phase::Undoing { error, removal } => {
                Some(Phase::Failed { error: Arc::clone(error), removal: removal.clone() })
            }
            _ => None,
        })
    }

    /// Counts a failed removal.
    pub(super) fn removal_failed(&self, error: AttachError) -> bool {
        self.phase.send_if_modified(|phase| {
            let Some(removal) = phase.removal() else { return false };
            removal.failures += 1;
            removal.last_error = Some(Arc::new(error));
            true
        })
    }

    /// Destroying → Gone; Undoing → Failed.
    pub(super) fn removed(&self) -> bool {
        self.report_failure() || self.change(|phase| matches!(phase, Phase::Destroying { .. }).then_some(Phase::Gone))
    }

    /// Has `write` record the end of the session, unless it is recorded already. Only while it is being removed.
    pub(super) fn record_destroy<E>(&self, write: impl FnOnce() -> Result<(), E>) -> Result<DestroyRecorded, E> {
        debug_assert!(!self.is_wanted(), "a session that is not being removed has no end to record");
        let is_recorded = self.phase.borrow().clone().removal().is_some_and(|removal| removal.recorded);
        if !is_recorded {
            write()?;
            // No task waits for this.
            self.phase.send_if_modified(|phase| {
                if let Some(removal) = phase.removal() {
                    removal.recorded = true;
                }
                false
            });
        }
        Ok(DestroyRecorded(()))
    }

    // Questions.

    /// Whether it runs, and clients may enter.
    pub(super) fn is_running(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Running { .. })
    }

    /// Whether it runs or is being created, and so counts against its user's limit.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Creating { .. } | Phase::Running { .. })
    }

    /// Since when it has had no connection, in Unix seconds.
    pub(super) fn abandoned(&self) -> Option<i64> {
        match *self.phase.borrow() {
            Phase::Running { abandoned } => abandoned,
            _ => None,
        }
    }

    /// As [`Self::abandoned`], for lists: a session that is being removed keeps the moment.
    pub(super) fn shown_abandoned(&self) -> Option<i64> {
        match &*self.phase.borrow() {
            Phase::Running { abandoned } => *abandoned,
            Phase::Closing { removal, .. } | Phase::Destroying { removal } => removal.abandoned,
            _ => None,
        }
    }

    /// Why its connections are being closed.
    pub(super) fn closing_reason(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Closing { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }

    /// The state as it is stored and shown.
    pub(super) fn state(&self) -> State {
        match *self.phase.borrow() {
            Phase::Creating { .. } => State::Creating,
            Phase::Running { abandoned: None } => State::Running,
            Phase::Running { abandoned: Some(_) } => State::Grace,
            _ => State::Destroying,
        }
    }

    // Waits.

    /// The present phase and every later one.
    pub(super) fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Waits until the session does not run.
    pub(super) async fn stopped_running(&self) {
        // The sender is `self`, so the channel stays open.
        let _ = self.watch().wait_for(|phase| !matches!(phase, Phase::Running { .. })).await;
    }

    /// Has the removal begin soon, and waits for its end. An error if it fails `tries` times meanwhile.
    pub(super) async fn await_removal(&self, tries: u32) -> Result<(), Arc<AttachError>> {
        let mut phase = self.watch();
        let failures = phase.borrow().awaited_removal().map_or(0, |removal| removal.failures);
        self.hurry.notify_one();
        let is_enough = |removal: &Removal| removal.failures >= failures.saturating_add(tries);
        let Ok(phase) = phase.wait_for(|phase| phase.awaited_removal().is_none_or(is_enough)).await else {
            return future::pending().await;
        };
        phase.awaited_removal().and_then(|removal| removal.last_error.clone()).map_or(Ok(()), Err)
    }

    /// Waits until a client waits for the removal.
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Keeps the wish of the client that waits, for the next [`Self::hurried`].
    pub(super) fn stay_hurried(&self) {
        self.hurry.notify_one();
    }
}

#[cfg(test)]
mod tests;
