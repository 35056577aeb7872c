//! `lock-directory`: there is none. The broker is the only writer of the state, and no lock file is needed.

use super::{Check, Group, Host, Problem, Report};
use std::{fs, path::Path};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "lock-directory",
    group: Group::State,
    passes_if: "there is no lock directory: podspawn does not lock by files, and users need to write nowhere",
    problems: &[EXISTS],
    needs_root: true,
    run,
};
const EXISTS: Problem = Problem::warn("there is one", "`rm -r {directory}`");

fn run(host: &Host) -> Report {
    let state = host.settings.config.state.db_path.as_path().parent().unwrap_or(Path::new("/"));
    locks(&state.join("locks"))
}

fn locks(path: &Path) -> Report {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok() {
        let seen = format!("{shown} does not belong to podspawn, and nothing reads it");
        return CHECK.report(&EXISTS, seen, &[("directory", &shown)]);
    }
    CHECK.pass("podspawn has none and needs none: the broker alone writes the state")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_lock_directory_is_a_warning() {
        assert_eq!(locks(Path::new("/nowhere/locks")).outcome, Outcome::Pass);
        assert_eq!(locks(Path::new("/")).outcome, Outcome::Warn);
    }
}
