//! Process groups whose client has gone, and the time that each has to end.

use super::identity::Group;
use rustix::process::{Pid, Signal};
use std::time::{Duration, Instant};

/// How long a process may go on after its client has gone.
const GRACE: Duration = Duration::from_secs(5);

/// Process groups that were sent a hangup, each with the time at which it is killed.
#[derive(Default)]
pub(super) struct HangingUp(Vec<(Group, Instant)>);

impl HangingUp {
    /// Hangs up a group.
    pub(super) fn begin(&mut self, group: Group, now: Instant) {
        group.hang_up();
        self.0.push((group, now + GRACE));
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.0.iter().map(|(group, _)| *group)
    }

    /// When the next group is to be killed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|(_, deadline)| *deadline).min()
    }

    /// Forgets the group of `leader`, whose number another process has now.
    pub(super) fn forget(&mut self, leader: Pid) {
        self.0.retain(|(group, _)| group.leader != leader);
    }

    /// Forgets groups that are empty: their numbers may be used again.
    pub(super) fn forget_ended(&mut self) {
        self.0.retain(|(group, _)| group.exists());
    }

    /// Kills the groups that still exist when their time is over.
    pub(super) fn kill_expired(&mut self, now: Instant) {
        self.0.retain(|(group, deadline)| {
            let is_expired = *deadline <= now;
            if is_expired {
                group.signal(Signal::KILL);
            }
            !is_expired
        });
    }
}
