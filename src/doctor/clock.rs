//! `clock`: a service keeps the clock right, and it was not set back.

use super::{Check, Group, Host, Problem, Report};
use crate::sys::clock;
use std::io;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "clock",
    group: Group::Host,
    passes_if: "a service keeps the clock right, and it was not set back",
    problems: &[SET_BACK, UNSYNCHRONIZED],
    needs_root: false,
    run,
};
const SET_BACK: Problem =
    Problem::fail("a session began in the future", "set the clock right; `podspawn stop` ends a session");
const UNSYNCHRONIZED: Problem =
    Problem::warn("the clock is not synchronized", "`timedatectl set-ntp true`, or install chrony")
        .on_nixos("set services.timesyncd.enable = true, or services.chrony.enable");

/// How far in the future a session's time may be, in seconds: a small step of the clock.
const TOLERANCE: i64 = 60;

fn run(host: &Host) -> Report {
    let newest = host.broker().ok().and_then(|reply| reply.newest);
    judge(clock::is_synchronized(), newest, clock::unix_seconds())
}

fn judge(synchronized: io::Result<bool>, newest: Option<i64>, now: i64) -> Report {
    let mut problems = Vec::new();
    let ahead = newest.map_or(0, |newest| newest - now);
    if ahead > TOLERANCE {
        let seen = format!("the clock was set back: a session began {ahead} s from now, and lives so much longer");
        problems.push(CHECK.report(&SET_BACK, seen, &[]));
    }
    match synchronized {
        Ok(true) => {}
        Ok(false) => {
            let seen = "nothing keeps this clock right, by which sessions and keys expire";
            problems.push(CHECK.report(&UNSYNCHRONIZED, seen, &[]));
        }
        Err(error) => return CHECK.unknown(error, "timedatectl"),
    }
    CHECK.merge(problems, "the clock is kept right, and no session is of the future")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_clock_that_was_set_back_is_a_failure_and_one_that_is_not_synchronized_a_warning() {
        assert_eq!(judge(Ok(true), Some(1030), 1000).outcome, Outcome::Pass);
        assert_eq!(judge(Ok(true), Some(5000), 1000).outcome, Outcome::Fail);
        assert_eq!(judge(Ok(false), None, 1000).outcome, Outcome::Warn);
        assert!(judge(Err(io::ErrorKind::PermissionDenied.into()), None, 0).seen.starts_with("unknown"));
    }
}
