//! Whether there is room: on disks, of files, and of memory.

use super::{Finding, Host, Report};
use rustix::fs::statvfs;
use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _, path::PathBuf};

const GIB: u64 = 1 << 30;
/// Below the first containers cannot be made for long; below the second, any moment now.
const LITTLE: u64 = 5 * GIB;
const NEXT_TO_NOTHING: u64 = GIB;
/// Files that are left at least, of a file system that counts them.
const FEW_FILES: u64 = 20_000;
const HARDLY_A_FILE: u64 = 1_000;

/// A file system and what podspawn has on it.
#[derive(Debug)]
struct Space {
    of: String,
    bytes: u64,
    /// Files that can still be made; `None` where they are not counted.
    files: Option<u64>,
}

/// `disk`, `inodes`.
pub(super) fn disks(host: &Host) -> Vec<Report> {
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
    let spaces = spaces(&places);
    vec![disk(&spaces), inodes(&spaces)]
}

/// Each file system once.
fn spaces(places: &[(&str, PathBuf)]) -> Vec<Space> {
    let mut found: BTreeMap<u64, Space> = BTreeMap::new();
    for (name, path) in places {
        // What does not exist is made where its directory is.
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
    let remedy = "docker system df shows what containers and images take, docker system prune frees what nobody uses";
    let finding = |space: &Space| {
        let what = format!("{} has {} left", space.of, gib(space.bytes));
        match space.bytes {
            bytes if bytes < NEXT_TO_NOTHING => Some(Finding::broken(what, remedy)),
            bytes if bytes < LITTLE => Some(Finding::notable(what, remedy)),
            _ => None,
        }
    };
    let least = spaces.iter().map(|space| space.bytes).min().unwrap_or(0);
    Report::of("disk", spaces.iter().filter_map(finding).collect(), format!("at least {} left everywhere", gib(least)))
}

fn inodes(spaces: &[Space]) -> Report {
    let remedy = "find out what has so many files: du --inodes -x -d 2 on it";
    let finding = |space: &Space| {
        let files = space.files?;
        let what = format!("{} has room for {files} more files", space.of);
        match files {
            files if files < HARDLY_A_FILE => Some(Finding::broken(what, remedy)),
            files if files < FEW_FILES => Some(Finding::notable(what, remedy)),
            _ => None,
        }
    };
    Report::of("inodes", spaces.iter().filter_map(finding).collect(), "there is room for more files everywhere")
}

fn gib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / GIB;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// `memory`.
pub(super) fn memory(host: &Host) -> Vec<Report> {
    let about = rustix::system::sysinfo();
    // A kernel's long on every machine that podspawn is for.
    #[allow(clippy::useless_conversion)]
    let total = u64::from(about.totalram).saturating_mul(about.mem_unit.into());
    let users = u64::try_from(host.users().len()).unwrap_or(u64::MAX);
    let config = &host.settings.config;
    let (each, most) = (config.resources.max_per_user.into(), config.resources.max_containers.into());
    vec![plan(total, users, each, most, config.defaults.memory.as_bytes())]
}

/// Whether everything that users may start fits; swap is none of a container's.
fn plan(total: u64, users: u64, each: u64, most: u64, memory: u64) -> Report {
    let containers = users.saturating_mul(each).min(most);
    let needed = containers.saturating_mul(memory);
    let seen = format!(
        "{containers} containers ({users} users with {each} each, at most {most}) of {} may take {}, and there are {}",
        gib(memory),
        gib(needed),
        gib(total)
    );
    if needed > total {
        let remedy =
            "lower resources.max_containers or defaults.memory in /etc/podspawn/config.yaml, if they will not share";
        let declared =
            "lower services.podspawn.settings.resources.max_containers or .defaults.memory, if they will not share";
        return Report::warn("memory", seen, remedy).on_nixos(declared);
    }
    Report::pass("memory", seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn space(bytes: u64, files: Option<u64>) -> Space {
        Space { of: "/x (state)".into(), bytes, files }
    }

    #[test]
    fn little_room_is_worth_a_word_and_none_is_a_fault() {
        for (bytes, outcome) in [(5 * GIB, Outcome::Pass), (5 * GIB - 1, Outcome::Warn), (GIB - 1, Outcome::Fail)] {
            assert_eq!(disk(&[space(50 * GIB, None), space(bytes, None)]).outcome, outcome, "{bytes}");
        }
        for (files, outcome) in [(None, Outcome::Pass), (Some(5_000), Outcome::Warn), (Some(0), Outcome::Fail)] {
            assert_eq!(inodes(&[space(GIB, files)]).outcome, outcome, "{files:?}");
        }
        assert!(disk(&[space(GIB / 2, None)]).seen.contains("/x (state) has 0.5 GiB left"));
    }

    #[test]
    fn one_file_system_is_told_once_with_everything_that_is_on_it() {
        let directory = tempfile::tempdir().unwrap();
        let places = [("state", directory.path().to_owned()), ("homes", directory.path().join("not/yet"))];
        let found = spaces(&places);
        assert_eq!(found.len(), 1);
        assert!(found[0].of.ends_with("(state, homes)"), "{found:?}");
    }

    #[test]
    fn what_users_may_start_is_held_against_what_there_is() {
        assert_eq!(plan(8 * GIB, 2, 2, 50, 2 * GIB).outcome, Outcome::Pass);
        let much = plan(64 * GIB, 30, 3, 50, 2 * GIB);
        assert!(much.outcome == Outcome::Warn && much.seen.contains("100.0 GiB"), "{much:?}");
        assert_eq!(plan(GIB, 0, 3, 50, 2 * GIB).outcome, Outcome::Pass);
    }
}
