//! `logrotate`: the configured logs are rotated before they fill the disk.

use super::{Check, Group, Host, Problem, Report};
use crate::{config::AbsolutePath, sshd::pattern};
use std::{fs, path::Path};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "logrotate",
    group: Group::Logs,
    passes_if: "logrotate rotates the configured logs",
    problems: &[UNROTATED],
    needs_root: false,
    run,
};
const UNROTATED: Problem = Problem::warn(
    "no file of logrotate names a log",
    "install podspawn's file as /etc/logrotate.d/podspawn (the package has it), with {file} in it",
)
.on_nixos("set services.logrotate.enable = true and rebuild");

const DIRECTORY: &str = "/etc/logrotate.d";

fn run(host: &Host) -> Report {
    let log = &host.settings.config.log;
    let paths: Vec<&Path> = [&log.file, &log.audit_log].into_iter().flatten().map(AbsolutePath::as_path).collect();
    let mut texts = Vec::new();
    for entry in fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        texts.extend(fs::read_to_string(entry.path()));
    }
    texts.extend(fs::read_to_string("/etc/logrotate.conf"));
    rotation(&paths, &texts)
}

/// `texts` are logrotate's files.
fn rotation(paths: &[&Path], texts: &[String]) -> Report {
    let names = |text: &String, path: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let mut words = lines.flat_map(|line| line.split([' ', '\t', '"', '{'])).filter(|word| word.starts_with('/'));
        words.any(|word| pattern::matches(path, word))
    };
    let mut problems = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        if !texts.iter().any(|text| names(text, &shown)) {
            let seen = format!("{shown} is not rotated, and grows until the disk is full");
            problems.push(CHECK.report(&UNROTATED, seen, &[("file", &shown)]));
        }
    }
    let good =
        if paths.is_empty() { "there is no log beside the journal to rotate" } else { "logrotate rotates every log" };
    CHECK.merge(problems, good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_log_that_is_not_rotated_is_a_warning() {
        let ours = include_str!("../../systemd/logrotate.d/podspawn").to_owned();
        let of = |path: &str| rotation(&[Path::new(path)], std::slice::from_ref(&ours)).outcome;
        assert_eq!((of("/var/log/podspawn/audit.jsonl"), of("/srv/audit.jsonl")), (Outcome::Pass, Outcome::Warn));
        let others = ["# /srv/a.log\n\"/srv/*.jsonl\" {\n}\n".to_owned()];
        assert_eq!(rotation(&[Path::new("/srv/audit.jsonl")], &others).outcome, Outcome::Pass);
        assert_eq!(rotation(&[Path::new("/srv/a.log")], &others).outcome, Outcome::Warn);
        assert_eq!(rotation(&[], &[]).outcome, Outcome::Pass);
    }
}
