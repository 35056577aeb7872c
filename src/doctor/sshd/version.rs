//! `sshd-version`: sshd is new enough for podspawn's block.

use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    sshd::{Sshd, SshdError, Version},
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-version",
    group: Group::Sshd,
    passes_if: "sshd is OpenSSH 8.8 or later",
    problems: &[TOO_OLD, MISSING],
    needs_root: false,
    run,
};
const TOO_OLD: Problem =
    Problem::fail("sshd is older than OpenSSH 8.8", "podspawn needs 8.8 or later; upgrade the distribution's OpenSSH");
const MISSING: Problem = Problem::fail("this host has no sshd", "`apt-get install openssh-server`");

/// The first OpenSSH whose sshd is what the drop-in is written for: 8.7 gave `KbdInteractiveAuthentication` its name,
/// and 8.8 is the oldest that podspawn is tested with.
pub const OLDEST: Version = Version(8, 8);

fn run(_: &Host) -> Report {
    match Sshd::find(None).and_then(|sshd| sshd.version()) {
        Ok(version) => CHECK.merge(too_old(version).into_iter().collect(), format!("this is OpenSSH {version}")),
        Err(SshdError::Missing) => CHECK.report(&MISSING, "there is no sshd on this host", &[]),
        Err(error) => CHECK.unknown(error, "sshd -V"),
    }
}

/// The report of a version that is too old.
#[must_use]
pub fn too_old(version: Version) -> Option<Report> {
    (version < OLDEST).then(|| CHECK.report(&TOO_OLD, format!("this is OpenSSH {version}"), &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sshd_is_a_failure() {
        let old = too_old(Version(8, 7)).unwrap();
        assert!(old.is_failure() && old.remedy.starts_with(&format!("podspawn needs {OLDEST} or later")), "{old:?}");
        assert_eq!(too_old(Version(10, 0)), None);
    }
}
