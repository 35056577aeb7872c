//! The host around podspawn: its clock, and whether its files are there to be changed.

use super::{Finding, Host, Report, immutable};
use crate::{settings, sshd, sys::clock};
use std::{io, path::Path};

const CLOCK: &str = "clock";
const IMMUTABLE: &str = "immutable";
/// How far in the future a session's time may be: a step of the clock that nobody notices.
const TOLERANCE: i64 = 60;

/// `clock`, `immutable`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let newest = host.broker().ok().and_then(|reply| reply.newest);
    let files = [(sshd::CONFIG, "services.podspawn.enable"), (settings::ROOT, "services.podspawn.settings")];
    let files = files.map(|(path, option)| (Path::new(path), option, immutable::check(Path::new(path))));
    vec![judge(clock::is_synchronized(), newest, clock::unix_seconds()), changeable(&files)]
}

fn judge(synchronized: io::Result<bool>, newest: Option<i64>, now: i64) -> Report {
    let mut findings = Vec::new();
    let ahead = newest.map_or(0, |newest| newest - now);
    if ahead > TOLERANCE {
        findings.push(Finding::broken(
            format!("the clock was set back: a session began {ahead} s from now, and lives so much longer"),
            "set the clock right; podspawn stop ends a session",
        ));
    }
    match synchronized {
        Ok(true) => {}
        Ok(false) => findings.push(
            Finding::notable(
                "nothing keeps this clock right, by which sessions and keys expire",
                "timedatectl set-ntp true, or install chrony",
            )
            .on_nixos("set services.timesyncd.enable = true, or services.chrony.enable"),
        ),
        Err(error) => return Report::unknown(CLOCK, error, "timedatectl"),
    }
    Report::of(CLOCK, findings, "the clock is kept right, and no session is of the future")
}

fn changeable(files: &[(&Path, &str, Option<immutable::Immutable>)]) -> Report {
    let mut notes = Vec::new();
    let mut findings = Vec::new();
    for (path, option, found) in files {
        match found {
            // As it should be there, and good to know.
            Some(found @ immutable::Immutable::Nix { .. }) => notes.push(found.told(path, option)),
            Some(found @ immutable::Immutable::ReadOnly) => {
                let remedy = format!("mount -o remount,rw {}", path.parent().unwrap_or(path).display());
                findings.push(Finding::notable(found.told(path, option), remedy));
            }
            None => {}
        }
    }
    if notes.is_empty() {
        notes.push("sshd's files and podspawn's are this host's to change".to_owned());
    }
    Report::of(IMMUTABLE, findings, notes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_clock_that_was_set_back_is_a_fault_and_one_that_nobody_keeps_is_worth_a_word() {
        assert_eq!(judge(Ok(true), Some(1030), 1000).outcome, Outcome::Pass);
        assert_eq!(judge(Ok(true), Some(5000), 1000).outcome, Outcome::Fail);
        assert_eq!(judge(Ok(false), None, 1000).outcome, Outcome::Warn);
        assert!(judge(Err(io::ErrorKind::PermissionDenied.into()), None, 0).seen.starts_with("unknown"));
    }

    #[test]
    fn what_nixos_makes_is_noted_and_what_is_read_only_is_worth_a_word() {
        let path = Path::new("/etc/ssh/sshd_config");
        let of = |found| changeable(&[(path, "services.podspawn.enable", found)]);
        assert_eq!(of(None).outcome, Outcome::Pass);
        let nix = of(Some(immutable::Immutable::Nix { target: "/nix/store/x".into() }));
        assert!(nix.outcome == Outcome::Pass && nix.seen.contains("made by NixOS"), "{nix:?}");
        assert_eq!(of(Some(immutable::Immutable::ReadOnly)).outcome, Outcome::Warn);
    }
}
