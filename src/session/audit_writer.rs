//! The audit queue as the sessions use it, and the task that looks after it.

use super::{AttachError, Auditing, Sessions, audit_queue::LOOK};
use crate::{
    engine::Engine,
    event::{Event, Subject},
    store::{Store, StoreError},
};
use std::rc::Rc;
use tokio::{task, time};

impl<E: Engine + 'static> Sessions<E> {
    /// Sets where the audit log is; also opens the file anew, as after a rotation.
    pub fn audit_to(&self, auditing: Option<Auditing>) {
        self.0.audit_queue.borrow_mut().set_target(auditing, &self.0.store);
        self.tend_audit_queue();
    }

    /// Writes the audit log for the last time.
    pub fn close_audit(&self) {
        self.report_all();
        self.0.audit_queue.borrow_mut().close(&self.0.store);
    }

    /// Queues events together with `change`, and writes them. The change alone where nothing is audited.
    ///
    /// An error is the change's; that the lines are still waiting is no error here.
    pub(super) fn record<const N: usize>(
        &self,
        subject: &Subject<'_>,
        events: [Event<'_>; N],
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let recorded = self.0.audit_queue.borrow_mut().record(&self.0.store, subject, events, change);
        self.tend_audit_queue();
        recorded
    }

    /// As [`Self::record`] for what must not happen unrecorded: if the line does not get into the file, `revert` undoes the
    /// change and the act is refused.
    pub(super) fn record_first(
        &self,
        subject: &Subject<'_>,
        event: Event<'_>,
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
        revert: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), AttachError> {
        let recorded = self.0.audit_queue.borrow_mut().record_first(&self.0.store, subject, event, change, revert);
        self.tend_audit_queue();
        recorded
    }

    /// Whether anything may happen that must not happen unrecorded.
    pub(super) fn check_audit(&self) -> Result<(), AttachError> {
        self.0.audit_queue.borrow_mut().check(&self.0.store)
    }

    fn tend_audit_queue(&self) {
        if self.0.audit_queue.borrow().is_on() {
            self.run_audit_writer();
        }
    }

    /// Keeps looking at the file until every line is safe.
    pub(super) fn run_audit_writer(&self) {
        if !self.0.audit_queue.borrow_mut().begin_tending() {
            return;
        }
        let inner = Rc::downgrade(&self.0);
        task::spawn_local(async move {
            loop {
                time::sleep(LOOK).await;
                let Some(sessions) = inner.upgrade().map(Self) else { return };
                let (queue, store) = (&sessions.0.audit_queue, &sessions.0.store);
                queue.borrow_mut().write(store);
                if queue.borrow().has_unrecorded() {
                    sessions.record_pending();
                }
                sessions.report_withheld();
                if queue.borrow_mut().end_tending(store) {
                    return;
                }
            }
        });
    }
}
