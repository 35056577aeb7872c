//! `cleanup-timer` and `cleanup-last`: the timer of cleanup passes runs, and its last pass succeeded.

use super::{
    Check, Group, Host, Problem, Report,
    units::{self, NOT_ACTIVE, NOT_ENABLED, NOT_LOADED},
};
use crate::{
    domain::Span,
    sys::{clock::since_boot, systemd::Unit},
};
use std::time::Duration;

/// The check of the timer.
pub(super) const TIMER: Check = Check {
    name: "cleanup-timer",
    group: Group::Services,
    passes_if: "the timer of cleanup passes runs",
    problems: &[NOT_LOADED.as_warning(), NOT_ACTIVE.as_warning(), NOT_ENABLED],
    needs_root: false,
    run: timer,
};
/// The check of the last pass.
pub(super) const LAST: Check = Check {
    name: "cleanup-last",
    group: Group::Services,
    passes_if: "the last cleanup pass succeeded, and is less than half an hour ago",
    problems: &[FAILED, LATE],
    needs_root: false,
    run: last,
};
const FAILED: Problem = Problem::warn("the last pass failed", REMEDY);
const LATE: Problem = Problem::warn("the last pass is longer ago, or there was none since the boot", REMEDY);
const REMEDY: &str = "`journalctl -u podspawn-cleanup; podspawn cleanup`";

/// The timer's passes are some minutes apart; after this time one is missing.
const DUE: Duration = Duration::from_secs(30 * 60);

fn timer(host: &Host) -> Report {
    const UNIT: &str = "podspawn-cleanup.timer";
    match host.units() {
        Ok(units) => units::timer(&TIMER, &units.get(UNIT), UNIT),
        Err(why) => TIMER.unknown(why, ""),
    }
}

fn last(host: &Host) -> Report {
    match host.units() {
        Ok(units) => last_pass(&units.get("podspawn-cleanup.service"), since_boot()),
        Err(why) => LAST.unknown(why, ""),
    }
}

fn last_pass(unit: &Unit, now: Duration) -> Report {
    if let Some(failure) = unit.failure() {
        return LAST.report(&FAILED, format!("the last cleanup pass failed ({failure})"), &[]);
    }
    match unit.moment("ExecMainExitTimestampMonotonic") {
        None if now < DUE => LAST.pass("no pass yet since the boot, and none is due"),
        None => LAST.report(&LATE, "no cleanup pass since the boot", &[]),
        Some(moment) => {
            let age = Span::from_secs(now.saturating_sub(moment).as_secs());
            let seen = format!("the last cleanup pass was {age} ago");
            if Duration::from(age) > DUE { LAST.report(&LATE, seen, &[]) } else { LAST.pass(seen) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_pass_that_failed_or_is_late_is_a_warning() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let outcome = |text: &str, now| last_pass(&Unit::parse_for_test(text), now).outcome;
        let at_ten = "Result=success\nExecMainExitTimestampMonotonic=600000000";
        assert_eq!(outcome(at_ten, minutes(12)), Outcome::Pass);
        assert_eq!(outcome(at_ten, minutes(60)), Outcome::Warn);
        assert_eq!(outcome("Result=exit-code\nExecMainStatus=1", minutes(1)), Outcome::Warn);
        assert_eq!(outcome("Result=success", minutes(5)), Outcome::Pass);
        assert_eq!(outcome("Result=success", minutes(50)), Outcome::Warn);
    }
}
