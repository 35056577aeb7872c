//! `directories`: podspawn's directories have the owners and modes of `systemd/tmpfiles.d`.

use super::{Check, Group, Host, Problem, Report};
use std::{fs, os::unix::fs::MetadataExt as _};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "directories",
    group: Group::Files,
    passes_if: "podspawn's directories have the owners and modes they should",
    problems: &[OPEN, DIFFERENT],
    needs_root: true,
    run,
};
const OPEN: Problem = Problem::fail("a directory is missing, or other users can write to it", REMEDY).on_nixos(NIXOS);
/// A host may have its reasons.
const DIFFERENT: Problem =
    Problem::warn("a directory has another owner or mode, and no other user can write to it", REMEDY).on_nixos(NIXOS);
const REMEDY: &str = "`systemd-tmpfiles --create podspawn.conf`";
const NIXOS: &str = "`systemd-tmpfiles --create 10-podspawn.conf`";
/// Write permission of the group or of others.
const OTHERS_WRITE: u32 = 0o022;

fn run(host: &Host) -> Report {
    match host.missing() {
        Ok(missing) => directories(missing),
        Err(why) => CHECK.unknown(why, "sudo podspawn doctor"),
    }
}

fn directories(missing: &[String]) -> Report {
    let problem = |what: &str| {
        let about = what.split(',').next().and_then(|path| fs::metadata(path).ok());
        let is_open = about.is_none_or(|about| !about.is_dir() || about.mode() & OTHERS_WRITE != 0);
        let problem = if is_open { &OPEN } else { &DIFFERENT };
        CHECK.report(problem, format!("it should be {what}"), &[])
    };
    let wrong = missing.iter().filter_map(|line| line.strip_prefix("directory "));
    CHECK.merge(wrong.map(problem).collect(), "podspawn's directories have the owners and modes they should")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_directory_that_is_missing_or_open_to_others_fails_and_another_mode_is_a_warning() {
        let missing = ["group podspawn-admin", "directory /x, a:b with mode 0700"].map(str::to_owned);
        assert_eq!(directories(&missing).seen, "it should be /x, a:b with mode 0700");
        assert_eq!((directories(&missing).outcome, directories(&missing[..1]).outcome), (Outcome::Fail, Outcome::Pass));
        let root = tempfile::tempdir().unwrap();
        let of = |mode| {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
            directories(&[format!("directory {}, a:b with mode 0750", root.path().display())]).outcome
        };
        assert_eq!((of(0o755), of(0o770)), (Outcome::Warn, Outcome::Fail));
    }
}
