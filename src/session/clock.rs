//! The time of day of the sessions.

use crate::sys::clock;

#[cfg(test)]
thread_local! {
    /// By how many seconds the clock of this thread's broker was set.
    pub(super) static SET_BY: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    let now = clock::unix_seconds();
    #[cfg(test)]
    let now = now + SET_BY.get();
    now
}
