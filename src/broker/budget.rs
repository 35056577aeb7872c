//! The budget of bytes of one uid, charged before any byte is parsed.
//!
//! The broker has one thread, and reading costs time even if the bytes are no message. So each uid has a budget for bytes and
//! connections and waits when it is used up; other uids are not delayed.

use std::time::{Duration, Instant};

/// Bytes of one uid at once: fifteen commands of 128 KiB.
const BURST: i64 = 2 << 20;
/// Bytes that are added each second. Reading and parsing so much takes about a hundredth of the thread's time.
const PER_SECOND: i64 = 1 << 20;
/// Bytes that one connection costs: accept, lookup of the account, close.
const CONNECTION: i64 = 4096;
/// Bytes that a uid without any must regain before it is read from again. Its connections, up to 128, wake up together.
const ENOUGH: i64 = 64 << 10;

/// The remaining budget of one uid.
#[derive(Debug)]
pub(super) struct Budget {
    /// Negative after a large read.
    left: i64,
    at: Instant,
    is_waiting: bool,
}

impl Budget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: BURST, at: now, is_waiting: false }
    }

    /// Charges bytes that were read after [`Self::wait`] permitted it.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)).max(-BURST);
    }

    /// Charges a connection.
    pub(super) fn charge_connection(&mut self) {
        self.left = (self.left - CONNECTION).max(-BURST);
    }

    /// How long to wait before the uid is read from; `None` is no wait.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.refill(now);
        self.is_waiting = self.left < if self.is_waiting { ENOUGH } else { 1 };
        let missing = u64::try_from(ENOUGH - self.left).unwrap_or_default();
        self.is_waiting.then(|| Duration::from_millis(missing * 1000 / PER_SECOND.unsigned_abs() + 1))
    }

    /// Whether the budget is as good as a new one.
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
    fn a_uid_waits_as_long_as_its_bytes_cost() {
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
    fn connections_cost_bytes_and_the_wait_is_bounded() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..10_000 {
            budget.charge_connection();
        }
        assert!(budget.wait(now).is_some_and(|wait| wait < Duration::from_secs(3)));
    }
}
