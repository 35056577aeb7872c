//! `disk`: disks have room for engine, state, homes, backups and logs.

use super::{Check, Group, Host, Problem, Report};
use crate::domain::size::rounded;
use rustix::fs::statvfs;
use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _, path::PathBuf};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "disk",
    group: Group::Resources,
    passes_if: "5 GiB are left for engine, state, homes, backups and logs",
    problems: &[ALMOST_FULL, LITTLE],
    needs_root: false,
    run,
};
const ALMOST_FULL: Problem = Problem::fail("a file system has less than 1 GiB left", REMEDY);
const LITTLE: Problem = Problem::warn("a file system has less than 5 GiB left", REMEDY);
const REMEDY: &str = "`{engine-command} system df` shows what containers and images take, `{engine-command} system prune` frees what is unused";

const GIB: u64 = 1 << 30;
/// Below this, containers can be made for a short time only.
const ENOUGH: u64 = 5 * GIB;
/// Below this, making a container can fail at any time.
const LEAST: u64 = GIB;

/// A file system and the parts of podspawn on it.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) of: String,
    pub(super) bytes: u64,
    /// Files that can still be made; `None` where they are not counted.
    pub(super) files: Option<u64>,
}

/// The file systems of podspawn and of the engine, each once.
pub(super) fn spaces_of(host: &Host) -> Vec<Space> {
    let config = &host.settings.config;
    let state = config.state.db_path.as_path().parent().map(PathBuf::from).unwrap_or_default();
    let mut places = vec![
        ("state", state),
        ("homes", config.state.homes_dir.as_path().into()),
        ("backups", config.backup.dir.as_path().into()),
        ("logs", PathBuf::from("/var/log")),
    ];
    if let Some(engine) = host.broker().ok().and_then(|reply| reply.engine.as_ref()) {
        places.insert(0, ("engine", PathBuf::from(&engine.data_root)));
    }
    spaces(&places)
}

fn run(host: &Host) -> Report {
    disk(&spaces_of(host))
}

/// Each file system once.
fn spaces(places: &[(&str, PathBuf)]) -> Vec<Space> {
    let mut found: BTreeMap<u64, Space> = BTreeMap::new();
    for (name, path) in places {
        // A directory that does not exist is made where its parent is.
        let Some(path) = path.ancestors().find(|path| path.exists()) else { continue };
        let (Ok(about), Ok(space)) = (path.metadata(), statvfs(path)) else { continue };
        found.entry(about.dev()).and_modify(|space| space.of = format!("{}, {name}", space.of)).or_insert_with(|| {
            Space {
                of: format!("{} ({name}", path.display()),
                bytes: space.f_bavail.saturating_mul(space.f_frsize),
                files: (space.f_files > 0).then_some(space.f_favail),
            }
        });
    }
    found.into_values().map(|space| Space { of: format!("{})", space.of), ..space }).collect()
}

fn disk(spaces: &[Space]) -> Report {
    let problem = |space: &Space| {
        let problem = match space.bytes {
            bytes if bytes < LEAST => &ALMOST_FULL,
            bytes if bytes < ENOUGH => &LITTLE,
            _ => return None,
        };
        Some(CHECK.report(problem, format!("{} has {} left", space.of, rounded(space.bytes)), &[]))
    };
    let least = spaces.iter().map(|space| space.bytes).min().unwrap_or(0);
    CHECK.merge(spaces.iter().filter_map(problem).collect(), format!("at least {} left everywhere", rounded(least)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn little_space_is_a_warning_and_none_is_a_failure() {
        let space = |bytes| Space { of: "/x (state)".into(), bytes, files: None };
        for (bytes, outcome) in [(5 * GIB, Outcome::Pass), (5 * GIB - 1, Outcome::Warn), (GIB - 1, Outcome::Fail)] {
            assert_eq!(disk(&[space(50 * GIB), space(bytes)]).outcome, outcome, "{bytes}");
        }
        assert!(disk(&[space(GIB / 2)]).seen.contains("/x (state) has 512.0 MiB left"));
    }

    #[test]
    fn one_file_system_is_named_once_with_everything_that_is_on_it() {
        let directory = tempfile::tempdir().unwrap();
        let places = [("state", directory.path().to_owned()), ("homes", directory.path().join("not/yet"))];
        let found = spaces(&places);
        assert_eq!(found.len(), 1);
        assert!(found[0].of.ends_with("(state, homes)"), "{found:?}");
    }
}
