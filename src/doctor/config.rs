//! `config`: the files under `/etc/podspawn` are valid, and the broker uses them.

use super::{Check, Group, Host, Outcome, Problem, Report};
use crate::{settings, sys::immutable};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "config",
    group: Group::Files,
    passes_if: "every file under `/etc/podspawn` is valid, and the broker uses them",
    problems: &[INVALID, UNREADABLE, EXPOSED],
    needs_root: false,
    run,
};
const INVALID: Problem = Problem::fail("a file has a mistake", "`podspawn check-config`");
const UNREADABLE: Problem =
    Problem::fail("the broker cannot read a file", "`chmod 0644` the file, if `podspawn check-config` accepts it");
const EXPOSED: Problem = Problem::warn(
    "a user's file has `env`, and every account of this host can read it",
    "`chgrp podspawn {file} && chmod 0640 {file}`",
);
/// Most files that are named.
const MAX_FILES: usize = 5;

fn run(host: &Host) -> Report {
    let mistakes: Vec<String> = host.mistakes.iter().map(ToString::to_string).collect();
    let report = judge(&mistakes, host.broker().ok().map(|reply| reply.problems.as_slice()));
    let users = host.settings.users.iter().filter(|(_, overrides)| !overrides.env.is_empty());
    let with_env = users.map(|(user, _)| Path::new(settings::ROOT).join("users").join(format!("{user}.yaml")));
    let readable: Vec<PathBuf> = with_env.filter(|path| is_readable_for_all(path)).collect();
    if report.outcome == Outcome::Pass && !readable.is_empty() { exposed(&readable) } else { report }
}

/// Whether every account of this host can read the file; files in Nix's store are for all to read.
fn is_readable_for_all(path: &Path) -> bool {
    !immutable::is_stored(path) && path.metadata().is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

fn exposed(readable: &[PathBuf]) -> Report {
    let problem = |path: &PathBuf| {
        let path = path.display();
        let seen = format!("{path} has env, and every account of this host can read it");
        CHECK.report(&EXPOSED, seen, &[("file", &path)])
    };
    CHECK.merge(readable.iter().take(MAX_FILES).map(problem).collect(), "")
}

/// `problems` are the mistakes that the broker finds in the same files; `None` if it does not answer.
fn judge(mistakes: &[String], problems: Option<&[String]>) -> Report {
    let mut reports: Vec<Report> = mistakes.iter().map(|what| CHECK.report(&INVALID, what.as_str(), &[])).collect();
    match problems {
        // Root can read what the broker cannot.
        Some(problems) if mistakes.is_empty() => reports
            .extend(problems.iter().map(|what| CHECK.report(&UNREADABLE, format!("the broker finds {what}"), &[]))),
        _ => {}
    }
    if reports.is_empty() {
        return match problems {
            Some(_) => CHECK.pass("the files are valid, and the broker uses them"),
            None => CHECK.unknown("the files are valid, but the broker does not say that it uses them", "see broker"),
        };
    }
    let mut report = CHECK.merge(reports, "");
    report.seen.push_str(match problems {
        Some(problems) if !problems.is_empty() => "; the broker goes on with the last good configuration",
        _ => "; without a good configuration the broker refuses all logins",
    });
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_variables_that_all_can_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("alice.yaml");
        std::fs::write(&path, "env: {TOKEN: x}").unwrap();
        for (mode, readable) in [(0o644, true), (0o640, false), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_readable_for_all(&path), readable, "{mode:o}");
        }
        let report = exposed(std::slice::from_ref(&path));
        assert!(report.outcome == Outcome::Warn && report.remedy.starts_with("chgrp podspawn /"), "{report:?}");
    }

    #[test]
    fn a_mistake_is_reported_with_its_place_and_with_the_configuration_in_force() {
        let mistake = ["/etc/podspawn/config.yaml:3:5: no such key".to_owned()];
        let kept = judge(&mistake, Some(&mistake));
        assert!(kept.outcome == Outcome::Fail && kept.seen.starts_with(&mistake[0]), "{kept:?}");
        assert!(kept.seen.ends_with("last good configuration") && kept.remedy == "podspawn check-config");
        assert!(judge(&mistake, None).seen.ends_with("refuses all logins"));
        assert_eq!(judge(&[], Some(&[])).outcome, Outcome::Pass);
        assert!(judge(&[], None).seen.starts_with("unknown"));
        let unreadable = judge(&[], Some(&["config.yaml: Permission denied".to_owned()]));
        assert!(unreadable.outcome == Outcome::Fail && unreadable.remedy.contains("chmod"), "{unreadable:?}");
    }
}
