//! How long nothing was sent or received on any channel, where the broker wants to know.
//!
//! Looked at now and then, and only then: a look costs a few system calls per channel. What happens between two looks
//! counts as having happened at the second, so that silence is never overestimated. Callers pass the time, of a clock
//! that runs steadily ([`Instant`]).

use super::{
    files::under,
    traffic::{TERMINAL_PRECISION, Times, Traffic, Watcher},
};
use crate::domain::ChannelId;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Least and most time between two looks; a quarter of the timeout lies between.
const PERIOD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Most channels that can be seen, at three descriptors each. A process has 1024 by default, and each channel needs
/// more of them; those above count as busy.
const MAX_SEEN: usize = 128;

#[derive(Debug)]
pub(super) struct Idle {
    /// What a process opens to reach its own terminal, whichever that is: some programs read it by this name, and
    /// before Linux 6.3 the terminal's own times do not show it.
    own_terminal: PathBuf,
    seen_own_terminal: Option<Times>,
    /// `None` is never.
    timeout: Option<Duration>,
    /// When something was last known to happen.
    active: Instant,
    next_look: Instant,
    channels: Vec<(ChannelId, Traffic)>,
    watcher: Option<Watcher>,
}

impl Idle {
    /// For the container at `root`; off until a timeout is set.
    pub(super) fn new(root: &Path, now: Instant) -> Self {
        Self {
            own_terminal: under(root, Path::new("/dev/tty")),
            seen_own_terminal: None,
            timeout: None,
            active: now,
            next_look: now,
            channels: Vec::new(),
            watcher: None,
        }
    }

    /// How long a silence is to be reported; 0 is none.
    pub(super) fn set_timeout(&mut self, seconds: u64, now: Instant) {
        if self.timeout.is_none() {
            // Until now nothing was looked at.
            self.active = now;
        }
        self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        if self.timeout.is_none() {
            self.watcher = None;
        }
        self.next_look = now;
    }

    /// A channel is being opened.
    pub(super) fn opened(&mut self, now: Instant) {
        self.active = now;
    }

    /// A process runs on a channel.
    pub(super) fn observe(&mut self, id: ChannelId, traffic: Traffic) {
        let traffic = if self.channels.len() < MAX_SEEN { traffic } else { Traffic::Hidden };
        self.channels.push((id, traffic));
    }

    /// A channel is over; its last bytes went a moment ago, as far as can be known.
    pub(super) fn closed(&mut self, id: ChannelId, now: Instant) {
        self.active = now;
        if let Some(index) = self.channels.iter().position(|(channel, _)| *channel == id) {
            self.channels.swap_remove(index).1.release(self.watcher.as_ref());
        }
    }

    /// When [`Self::look`] is due, while there is something to look at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.timeout.is_some() && !self.channels.is_empty()).then_some(self.next_look)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// Looks if that is due. A silence that is long enough is returned, in seconds, again at every look.
    pub(super) fn look(&mut self, now: Instant) -> Option<u64> {
        let timeout = self.timeout?;
        if !self.is_due(now) {
            return None;
        }
        if self.has_moved() {
            self.active = now;
        }
        // What the kernel did not write down yet is not silence.
        let unseen = if self.has_terminal() { TERMINAL_PRECISION } else { Duration::ZERO };
        let period = (timeout / 4).clamp(PERIOD.0, PERIOD.1);
        let end = (self.active + timeout + unseen).saturating_duration_since(now);
        self.next_look = now + if end.is_zero() { period } else { end.clamp(PERIOD.0, period) };
        let silence = (now - self.active).saturating_sub(unseen);
        (silence >= timeout).then_some(silence.as_secs())
    }

    fn has_terminal(&self) -> bool {
        self.channels.iter().any(|(_, traffic)| traffic.is_terminal())
    }

    fn has_moved(&mut self) -> bool {
        if self.watcher.is_none() && self.channels.iter().any(|(_, traffic)| matches!(traffic, Traffic::Pipes(_))) {
            self.watcher = Watcher::new().ok();
        }
        // Before the watches are set anew: what comes between the two is seen the next time.
        let mut moved = self.watcher.as_ref().is_some_and(Watcher::has_seen);
        for (_, traffic) in &mut self.channels {
            moved |= traffic.has_moved(self.watcher.as_ref());
        }
        if self.has_terminal() {
            let times = Times::of_file(&self.own_terminal);
            moved |= std::mem::replace(&mut self.seen_own_terminal, times) != times;
        }
        moved
    }
}

#[cfg(test)]
mod tests;
