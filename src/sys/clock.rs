//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch; 0 where the clock is before it.
#[must_use]
pub fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Days since the epoch, as shadow(5) counts them.
#[must_use]
pub fn unix_days() -> i64 {
    unix_seconds() / 86_400
}
