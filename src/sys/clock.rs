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

/// Whether something keeps the kernel's clock at the time of others, as systemd asks it (`adjtimex(2)`).
pub fn is_synchronized() -> std::io::Result<bool> {
    /// Of an error above it, in microseconds, the kernel itself says that it is none any more (`NTP_PHASE_LIMIT`).
    const MAX_ERROR: libc::c_long = 16_000_000;
    // SAFETY: a `timex` is numbers, of which zero asks for nothing to be changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: it is ours for the time of the call.
    if unsafe { libc::adjtimex(&raw mut state) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(state.maxerror < MAX_ERROR)
}

/// Time since the boot.
#[must_use]
pub fn since_boot() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    std::time::Duration::try_from(time).unwrap_or_default()
}
