//! A rate: so many events in each window of time.

use std::time::{Duration, Instant};

/// Counts events in windows. It does not wait: the caller decides how.
#[derive(Debug)]
pub struct Rate {
    most: u32,
    window: Duration,
    begin: Instant,
    count: u32,
}

impl Rate {
    /// At most `most` events in each `window`, the first of which begins at `now`.
    #[must_use]
    pub const fn new(most: u32, window: Duration, now: Instant) -> Self {
        Self { most, window, begin: now, count: 0 }
    }

    /// When the next event is permitted; `None` is now. Begins a new window if one is over.
    pub fn full_until(&mut self, now: Instant) -> Option<Instant> {
        if self.is_fresh(now) {
            (self.begin, self.count) = (now, 0);
        }
        (self.count >= self.most).then(|| self.begin + self.window)
    }

    /// Counts an event.
    pub const fn take(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// Whether the window is over, so that a new rate would permit the same.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begin) >= self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_permits_nothing_until_it_is_over() {
        let (begin, window) = (Instant::now(), Duration::from_secs(1));
        let mut rate = Rate::new(2, window, begin);
        for _ in 0..2 {
            assert_eq!(rate.full_until(begin), None);
            rate.take();
        }
        let almost = begin + Duration::from_millis(999);
        assert_eq!(rate.full_until(almost), Some(begin + window));
        assert!(!rate.is_fresh(almost));
        assert_eq!(rate.full_until(begin + window), None);
        rate.take();
        rate.take();
        assert_eq!(rate.full_until(begin + window), Some(begin + 2 * window));
    }
}
