//! `units`: systemd has read podspawn's units since they were changed. Also what checks of a single unit share.

use super::{Check, Group, Host, Problem, Report, host::Units};
use crate::sys::systemd::Unit;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "units",
    group: Group::Broker,
    passes_if: "systemd has read podspawn's units since they were changed",
    problems: &[CHANGED],
    needs_root: false,
    run,
};
const CHANGED: Problem = Problem::warn("a unit was changed after systemd read it", "`systemctl daemon-reload`");

/// The problems of a unit that should be active, now and after the next boot. On NixOS, a unit that is off is masked.
pub(super) const NOT_LOADED: Problem =
    Problem::fail("the unit is masked or missing", "`systemctl unmask {unit}`, or reinstall podspawn")
        .on_nixos(DECLARED);
pub(super) const NOT_ACTIVE: Problem =
    Problem::fail("the unit is not active", "`systemctl enable --now {unit}`").on_nixos("`systemctl start {unit}`");
pub(super) const NOT_ENABLED: Problem =
    Problem::warn("the unit is not started at boot", "`systemctl enable --now {unit}`").on_nixos(DECLARED);
const DECLARED: &str = "set {option} = true and rebuild";

fn run(host: &Host) -> Report {
    match host.units() {
        Ok(units) => changed(units),
        Err(why) => CHECK.unknown(why, ""),
    }
}

fn changed(units: &Units) -> Report {
    let names = units.changed();
    if names.is_empty() {
        return CHECK.pass("systemd has read podspawn's units since they were changed");
    }
    let seen = format!("systemd has not read {} since it was changed", names.join(", "));
    CHECK.report(&CHANGED, seen, &[])
}

/// What keeps a unit from being active now, and after the next boot; for `check`, whose row has these problems.
pub(super) fn idle(check: &Check, unit: &Unit, name: &str) -> Vec<Report> {
    let is_backup = name.starts_with("podspawn-backup");
    let option = if is_backup { "services.podspawn.backup.enable" } else { "services.podspawn.enable" };
    let report =
        |problem: &Problem, seen: String| problem.report(check.name, seen, &[("unit", &name), ("option", &option)]);
    let state = unit.property("LoadState");
    if state != "loaded" {
        return vec![report(&NOT_LOADED, format!("{name} is {state}"))];
    }
    let mut problems = Vec::new();
    if !unit.is_active() {
        problems.push(report(&NOT_ACTIVE, format!("{name} does not run")));
    }
    if unit.property("UnitFileState") == "disabled" {
        problems.push(report(&NOT_ENABLED, format!("{name} is not started at boot")));
    }
    problems
}

/// The report about a timer: one that does not run does no harm at once.
pub(super) fn timer(check: &Check, unit: &Unit, name: &str) -> Report {
    let problems = idle(check, unit, name).into_iter().map(Report::as_warning).collect();
    check.merge(problems, format!("{name} runs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_unit_that_was_changed_is_named() {
        let of =
            |text: &str| changed(&Units::parse_for_test(&[("a.socket", "NeedDaemonReload=no"), ("b.timer", text)]));
        let stale = of("NeedDaemonReload=yes");
        assert!(stale.outcome == Outcome::Warn && stale.seen.contains("not read b.timer since"), "{stale:?}");
        assert_eq!(of("NeedDaemonReload=no").outcome, Outcome::Pass);
    }
}
