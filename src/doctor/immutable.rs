//! `immutable`: files can be changed on this host. NixOS makes some of its configuration, and some file systems are
//! mounted read-only.

use super::{Check, Group, Host, Problem, Report};
use crate::{
    settings, sshd,
    sys::immutable::{self, Immutable},
};
use std::path::Path;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "immutable",
    group: Group::Host,
    passes_if: "sshd's and podspawn's files can be changed on this host; files that NixOS makes are noted",
    problems: &[READ_ONLY],
    needs_root: false,
    run,
};
const READ_ONLY: Problem = Problem::warn("a file is on a read-only file system", "`mount -o remount,rw {directory}`");

fn run(_: &Host) -> Report {
    let files = [(sshd::CONFIG, "services.podspawn.enable"), (settings::ROOT, "services.podspawn.settings")];
    changeable(&files.map(|(path, option)| (Path::new(path), option, immutable::check(Path::new(path)))))
}

fn changeable(files: &[(&Path, &str, Option<Immutable>)]) -> Report {
    let (mut notes, mut problems) = (Vec::new(), Vec::new());
    for (path, option, found) in files {
        match found {
            // As it should be on NixOS, and good to know.
            Some(found @ Immutable::Nix { .. }) => notes.push(found.message(path, option)),
            Some(found @ Immutable::ReadOnly) => {
                let directory = path.parent().unwrap_or(path).display();
                problems.push(CHECK.report(&READ_ONLY, found.message(path, option), &[("directory", &directory)]));
            }
            None => {}
        }
    }
    if notes.is_empty() {
        notes.push("sshd's files and podspawn's can be changed on this host".to_owned());
    }
    CHECK.merge(problems, notes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn files_that_nixos_makes_are_noted_and_read_only_ones_are_a_warning() {
        let path = Path::new("/etc/ssh/sshd_config");
        let of = |found| changeable(&[(path, "services.podspawn.enable", found)]);
        assert_eq!(of(None).outcome, Outcome::Pass);
        let nix = of(Some(Immutable::Nix { target: "/nix/store/x".into() }));
        assert!(nix.outcome == Outcome::Pass && nix.seen.contains("made by NixOS"), "{nix:?}");
        assert_eq!(of(Some(Immutable::ReadOnly)).outcome, Outcome::Warn);
    }
}
