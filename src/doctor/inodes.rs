//! `inodes`: file systems have room for more files.

use super::{
    Check, Group, Host, Problem, Report,
    disk::{Space, spaces_of},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "inodes",
    group: Group::Resources,
    passes_if: "each of these file systems has room for 20,000 more files",
    problems: &[ALMOST_FULL, FEW],
    needs_root: false,
    run,
};
const ALMOST_FULL: Problem = Problem::fail("a file system has room for fewer than 1,000 more files", REMEDY);
const FEW: Problem = Problem::warn("a file system has room for fewer than 20,000 more files", REMEDY);
const REMEDY: &str = "find out what has so many files: `du --inodes -x -d 2` on it";

/// Files that a file system has room for, if it counts them.
const ENOUGH: u64 = 20_000;
const LEAST: u64 = 1_000;

fn run(host: &Host) -> Report {
    inodes(&spaces_of(host))
}

fn inodes(spaces: &[Space]) -> Report {
    let problem = |space: &Space| {
        let files = space.files?;
        let problem = match files {
            files if files < LEAST => &ALMOST_FULL,
            files if files < ENOUGH => &FEW,
            _ => return None,
        };
        Some(CHECK.report(problem, format!("{} has room for {files} more files", space.of), &[]))
    };
    CHECK.merge(spaces.iter().filter_map(problem).collect(), "there is room for more files everywhere")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn few_files_are_a_warning_and_none_is_a_failure() {
        for (files, outcome) in [(None, Outcome::Pass), (Some(5_000), Outcome::Warn), (Some(0), Outcome::Fail)] {
            let space = Space { of: "/x (state)".into(), bytes: 0, files };
            assert_eq!(inodes(&[space]).outcome, outcome, "{files:?}");
        }
    }
}
