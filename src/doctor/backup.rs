//! `backup-timer` and `backup-last`: the timer of backups runs, and its last backup is not old.

use super::{
    Check, Group, Host, Problem, Report,
    units::{self, NOT_ACTIVE, NOT_ENABLED, NOT_LOADED},
};
use crate::{backup::BackupName, domain::Span};
use std::{fs, io, path::Path};

/// The check of the timer.
pub(super) const TIMER: Check = Check {
    name: "backup-timer",
    group: Group::Services,
    passes_if: "the timer of backups runs",
    problems: &[NOT_LOADED.as_warning(), NOT_ACTIVE.as_warning(), NOT_ENABLED],
    needs_root: false,
    run: timer,
};
/// The check of the last backup.
pub(super) const LAST: Check = Check {
    name: "backup-last",
    group: Group::Services,
    passes_if: "there is a backup of the last two days",
    problems: &[NONE, OLD],
    needs_root: true,
    run: last,
};
const NONE: Problem = Problem::warn("there is no backup", REMEDY);
const OLD: Problem = Problem::warn("the newest backup is older than two days", REMEDY);
const REMEDY: &str = "`systemctl start podspawn-backup.service`";

/// Backups are made every day; with this age, in seconds, one is missing.
const MAX_AGE: i64 = 2 * 24 * 3600;

fn timer(host: &Host) -> Report {
    const UNIT: &str = "podspawn-backup.timer";
    match host.units() {
        Ok(units) => units::timer(&TIMER, &units.get(UNIT), UNIT),
        Err(why) => TIMER.unknown(why, ""),
    }
}

fn last(host: &Host) -> Report {
    let directory = host.settings.config.backup.dir.as_path();
    match names(directory) {
        Ok(names) => judge(&names, jiff::Timestamp::now().as_second(), directory),
        Err(error) => {
            LAST.unknown(format!("{}: {error}", directory.display()), "systemctl start podspawn-backup.service")
        }
    }
}

/// Complete backups: others have no such name.
fn names(directory: &Path) -> io::Result<Vec<BackupName>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn judge(names: &[BackupName], now: i64, directory: &Path) -> Report {
    let shown = directory.display();
    let Some(newest) = names.iter().max() else {
        return LAST.report(&NONE, format!("there is no backup in {shown}"), &[]);
    };
    let age = now - newest.second();
    let seen =
        format!("the newest of {} in {shown} is {} old", names.len(), Span::from_secs(age.max(0).unsigned_abs()));
    if age > MAX_AGE { LAST.report(&OLD, seen, &[]) } else { LAST.pass(seen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, sys::systemd::Unit};

    #[test]
    fn no_backup_and_an_old_one_are_warnings_and_an_incomplete_one_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let report = |now| judge(&names(directory.path()).unwrap(), now, directory.path());
        fs::create_dir(directory.path().join(".partial-20260315T101530Z")).unwrap();
        assert_eq!(report(0).outcome, Outcome::Warn);
        fs::create_dir(directory.path().join("20260315T101530Z")).unwrap();
        fs::create_dir(directory.path().join("20260301T101530Z")).unwrap();
        let at = 1_773_569_730;
        let fresh = report(at + 3600);
        assert!(fresh.outcome == Outcome::Pass && fresh.seen.contains("newest of 2") && fresh.seen.contains("1h old"));
        assert_eq!(report(at + 3 * 24 * 3600).outcome, Outcome::Warn);
        assert_eq!(names(&directory.path().join("gone")).unwrap(), []);
    }

    #[test]
    fn a_timer_that_does_not_run_is_a_warning_with_the_option_to_set_on_nixos() {
        let of = |text: &str| units::timer(&TIMER, &Unit::parse_for_test(text), "podspawn-backup.timer");
        let idle = of("LoadState=loaded\nActiveState=inactive");
        assert_eq!(
            (idle.outcome, idle.remedy.as_str()),
            (Outcome::Warn, "systemctl enable --now podspawn-backup.timer")
        );
        let masked = of("LoadState=masked").declared();
        assert_eq!(masked.remedy, "set services.podspawn.backup.enable = true and rebuild");
    }
}
