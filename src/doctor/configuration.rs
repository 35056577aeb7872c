//! The files under `/etc/podspawn`, and which configuration is in force.

use super::{Finding, Host, Outcome, Report, immutable};
use crate::settings;
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const CHECK: &str = "config";
const REMEDY: &str = "podspawn check-config";
/// Most files that are named.
const MAX_FILES: usize = 5;

/// `config`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let mistakes: Vec<String> = host.mistakes.iter().map(ToString::to_string).collect();
    let report = judge(&mistakes, host.broker().ok().map(|reply| reply.problems.as_slice()));
    let users = host.settings.users.iter().filter(|(_, overrides)| !overrides.env.is_empty());
    let with_env = users.map(|(user, _)| Path::new(settings::ROOT).join("users").join(format!("{user}.yaml")));
    let readable: Vec<PathBuf> = with_env.filter(|path| is_readable_for_all(path)).collect();
    vec![if report.outcome == Outcome::Pass && !readable.is_empty() { told_to_all(&readable) } else { report }]
}

/// Whether every account of this host can read the file; what is in the store is there to be read.
fn is_readable_for_all(path: &Path) -> bool {
    !immutable::is_stored(path) && path.metadata().is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

fn told_to_all(readable: &[PathBuf]) -> Report {
    let finding = |path: &PathBuf| {
        let path = path.display();
        Finding::notable(
            format!("{path} has env, and every account of this host can read it"),
            format!("chgrp podspawn {path} && chmod 0640 {path}"),
        )
    };
    Report::of(CHECK, readable.iter().take(MAX_FILES).map(finding).collect(), "")
}

/// `problems` is what the broker finds wrong in the same files; `None` if it does not say.
fn judge(mistakes: &[String], problems: Option<&[String]>) -> Report {
    let mut findings: Vec<Finding> = mistakes.iter().map(|what| Finding::broken(what.as_str(), REMEDY)).collect();
    match problems {
        // What it cannot read, root can.
        Some(problems) if mistakes.is_empty() => findings.extend(problems.iter().map(|what| {
            Finding::broken(
                format!("the broker finds {what}"),
                "chmod 0644 the file, if podspawn check-config is content",
            )
        })),
        _ => {}
    }
    if findings.is_empty() {
        return match problems {
            Some(_) => Report::pass(CHECK, "the files are valid, and the broker goes by them"),
            None => Report::unknown(
                CHECK,
                "the files are valid, but the broker does not say that it goes by them",
                "see broker",
            ),
        };
    }
    let mut report = Report::of(CHECK, findings, "");
    report.seen.push_str(match problems {
        Some(problems) if !problems.is_empty() => "; the broker goes on with the last good configuration",
        _ => "; without a good configuration the broker lets nobody in",
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
        let report = told_to_all(std::slice::from_ref(&path));
        assert!(report.outcome == Outcome::Warn && report.remedy.starts_with("chgrp podspawn /"), "{report:?}");
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_with_what_is_in_force() {
        let mistake = ["/etc/podspawn/config.yaml:3:5: no such key".to_owned()];
        let kept = judge(&mistake, Some(&mistake));
        assert!(kept.outcome == Outcome::Fail && kept.seen.starts_with(&mistake[0]), "{kept:?}");
        assert!(kept.seen.ends_with("last good configuration") && kept.remedy == REMEDY);
        assert!(judge(&mistake, None).seen.ends_with("lets nobody in"));
        assert_eq!(judge(&[], Some(&[])).outcome, Outcome::Pass);
        assert!(judge(&[], None).seen.starts_with("unknown"));
        let unreadable = judge(&[], Some(&["config.yaml: Permission denied".to_owned()]));
        assert!(unreadable.outcome == Outcome::Fail && unreadable.remedy.contains("chmod"), "{unreadable:?}");
    }
}
