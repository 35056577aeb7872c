//! Whether there is a backup that is worth anything.

use super::{Host, Report};
use crate::{backup::BackupName, domain::Span};
use std::{fs, io, path::Path};

const CHECK: &str = "backup-last";
/// Backups are made every day; with this age one is missing.
const OLD: i64 = 2 * 24 * 3600;
const REMEDY: &str = "systemctl start podspawn-backup.service";

/// `backup-last`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let directory = host.settings.config.backup.dir.as_path();
    vec![match names(directory) {
        Ok(names) => judge(&names, jiff::Timestamp::now().as_second(), directory),
        Err(error) => Report::unknown(CHECK, format!("{}: {error}", directory.display()), REMEDY),
    }]
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
        return Report::warn(CHECK, format!("there is no backup in {shown}"), REMEDY);
    };
    let age = now - newest.second();
    let seen =
        format!("the newest of {} in {shown} is {} old", names.len(), Span::from_secs(age.max(0).unsigned_abs()));
    if age > OLD { Report::warn(CHECK, seen, REMEDY) } else { Report::pass(CHECK, seen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn no_backup_and_an_old_one_are_told_and_what_is_not_complete_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let told = |now| judge(&names(directory.path()).unwrap(), now, directory.path());
        fs::create_dir(directory.path().join(".partial-20260315T101530Z")).unwrap();
        assert_eq!(told(0).outcome, Outcome::Warn);
        fs::create_dir(directory.path().join("20260315T101530Z")).unwrap();
        fs::create_dir(directory.path().join("20260301T101530Z")).unwrap();
        let at = 1_773_569_730;
        let fresh = told(at + 3600);
        assert!(fresh.outcome == Outcome::Pass && fresh.seen.contains("newest of 2") && fresh.seen.contains("1h old"));
        assert_eq!(told(at + 3 * 24 * 3600).outcome, Outcome::Warn);
        assert_eq!(names(&directory.path().join("gone")).unwrap(), []);
    }
}
