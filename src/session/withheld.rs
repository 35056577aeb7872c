//! Events that are counted instead of written: those beyond a user's allowance, and those that the audit queue has no room
//! for. The counts are recorded.

use super::{Sessions, allowance::Withheld};
use crate::{
    domain::UserName,
    engine::Engine,
    event::{Event, Subject},
};
use std::{rc::Rc, time::Duration};
use tokio::{task, time::sleep};

/// How often the count is written while there is something to count.
const REPORT: Duration = Duration::from_mins(1);
/// More than the line with the counts of what had no room.
const ROOM_FOR_COUNTS: u64 = 4096;

impl<E: Engine + 'static> Sessions<E> {
    /// Whether so many bytes about `user` may be written. If not, `event` is counted; the count is written at once, and
    /// then every [`REPORT`].
    #[must_use]
    pub(super) fn may_write(&self, user: &UserName, event: &'static str, bytes: u64) -> bool {
        if self.0.allowance.take(user, bytes) {
            return true;
        }
        if self.0.allowance.count(user, event) {
            let (inner, user) = (Rc::downgrade(&self.0), user.clone());
            task::spawn_local(async move {
                while let Some(sessions) = inner.upgrade().map(Self)
                    && sessions.report_user(&user)
                {
                    drop(sessions);
                    sleep(REPORT).await;
                }
            });
        }
        false
    }

    /// Writes how many events of `user` were not written; false if there are none.
    fn report_user(&self, user: &UserName) -> bool {
        let Some(Withheld { counts, since }) = self.0.allowance.collect(user) else { return false };
        let reason = "the user caused too many events";
        let subject = Subject { user: Some(user.as_ref()), ..Subject::default() };
        self.report(&subject, Event::NotWritten { counts: &counts, since, reason });
        true
    }

    /// Writes what was not queued for want of room, once there is some.
    pub(super) fn report_withheld(&self) {
        let withheld = self.0.audit_queue.borrow_mut().take_withheld(&self.0.store, ROOM_FOR_COUNTS);
        let Some(Withheld { counts, since }) = withheld else { return };
        let reason = "the audit log could not be written, and too many events waited for it";
        let subject = Subject { user: Some(""), ..Subject::default() };
        self.report(&subject, Event::NotWritten { counts: &counts, since, reason });
    }

    /// Writes every count, before the process ends.
    pub(super) fn report_all(&self) {
        for user in self.0.allowance.counted() {
            self.report_user(&user);
        }
    }
}
