//! What a uid may send: bytes, counted before any of them is parsed.
//!
//! The broker has one thread. A message costs it time before it is known to be one, so a uid pays for its bytes and its
//! connections, whatever is in them, and waits when it has none left; others do not notice.

use std::time::{Duration, Instant};

/// Bytes of one uid at once: fifteen commands of 128 KiB.
const BURST: i64 = 2 << 20;
/// What is added to that each second. Reading and parsing so much takes about a hundredth of the thread's time.
const PER_SECOND: i64 = 1 << 20;
/// What a connection costs: accepting, looking up its account, closing.
const CONNECTION: i64 = 4096;
/// How much has to be there before a uid that had none goes on. Its connections wake up together, and are up to 128.
const ENOUGH: i64 = 64 << 10;

/// What one uid has left.
#[derive(Debug)]
pub(super) struct Budget {
    /// Less than nothing after a large read.
    left: i64,
    at: Instant,
    is_waiting: bool,
}

impl Budget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: BURST, at: now, is_waiting: false }
    }

    /// Takes so many bytes, which have been read. [`Self::wait`] was asked before.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)).max(-BURST);
    }

    /// Takes what a connection costs.
    pub(super) fn charge_connection(&mut self) {
        self.left = (self.left - CONNECTION).max(-BURST);
    }

    /// How long the uid has to wait before it may be read from; `None` is not at all.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.refill(now);
        self.is_waiting = self.left < if self.is_waiting { ENOUGH } else { 1 };
        let missing = u64::try_from(ENOUGH - self.left).unwrap_or_default();
        self.is_waiting.then(|| Duration::from_millis(missing * 1000 / PER_SECOND.unsigned_abs() + 1))
    }

    /// Whether nothing has to be remembered.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left == BURST
    }

    fn refill(&mut self, now: Instant) {
        let passed = i64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        if passed > 0 {
            self.left = self.left.saturating_add(passed.saturating_mul(PER_SECOND) / 1000).min(BURST);
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_waits_for_what_it_has_sent_and_no_longer() {
        let mut now = Instant::now();
        let mut budget = Budget::new(now);
        budget.charge(usize::try_from(BURST).unwrap() - 1);
        assert_eq!(budget.wait(now), None);
        budget.charge(1 << 20);
        let wait = budget.wait(now).unwrap();
        assert!(wait > Duration::from_secs(1) && wait < Duration::from_millis(1100), "{wait:?}");
        now += wait;
        assert_eq!(budget.wait(now), None);
        assert!(!budget.is_full(now) && budget.is_full(now + Duration::from_secs(3)));
    }

    #[test]
    fn many_connections_of_one_uid_wake_up_seldom() {
        let mut now = Instant::now();
        let mut budget = Budget::new(now);
        budget.charge(usize::try_from(BURST).unwrap());
        let mut waits = 0;
        let end = now + Duration::from_secs(1);
        while now < end {
            match budget.wait(now) {
                Some(wait) => {
                    waits += 1;
                    now += wait;
                }
                None => budget.charge(256),
            }
        }
        assert!(waits <= 20, "{waits}");
    }

    #[test]
    fn connections_cost_something_and_no_debt_is_without_end() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..10_000 {
            budget.charge_connection();
        }
        assert!(budget.wait(now).is_some_and(|wait| wait < Duration::from_secs(3)));
    }
}
