//! `state-db`: the state database is whole, and only podspawn can read it.

use super::{Check, Group, Host, Problem, Report};
use crate::store::{Store, StoreError};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "state-db",
    group: Group::State,
    passes_if: "`state.db` is whole, belongs to podspawn, and only podspawn can read it; a copy is read",
    problems: &[DELETED, DAMAGED, FOREIGN, OPEN],
    needs_root: true,
    run,
};
const DELETED: Problem = Problem::fail(
    "the file was deleted while the broker runs, which goes on with a state that is lost when it stops",
    "`systemctl restart podspawn-broker.service`",
);
const DAMAGED: Problem = Problem::fail(
    "the file is damaged, or of a newer podspawn",
    "`podspawn restore /var/backups/podspawn/TIME`, with the newest TIME",
);
const FOREIGN: Problem =
    Problem::fail("the file belongs to another user", "`chown podspawn:podspawn {file} {file}-wal {file}-shm`");
const OPEN: Problem = Problem::fail("other users can open the file", "`chmod 0600 {file}`");

/// The directory of the copy that is examined: in memory, and root's.
const SCRATCH: &str = "/run/podspawn";
/// The owner of the state.
const OWNER: &str = "podspawn";

fn run(host: &Host) -> Report {
    let path = host.settings.config.state.db_path.as_path();
    let shown = path.display();
    // Asked first: the question may start the broker, which makes a database where there is none.
    let has_broker = host.broker().is_ok();
    let owner = host.local.as_ref().and_then(|local| local.account(OWNER)).map(|account| account.uid);
    let mut problems = match fs::symlink_metadata(path) {
        Ok(about) => owned(path, about.uid(), about.mode() & 0o7777, about.is_file(), owner),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_broker => {
            let seen = format!("{shown} is gone, and what the broker writes now is lost when it stops");
            return CHECK.report(&DELETED, seen, &[]);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return CHECK.pass(format!("{shown} is made by the first start of the broker"));
        }
        Err(error) => return CHECK.unknown(error, ""),
    };
    let schema = match examine(path, Path::new(SCRATCH)) {
        Ok(schema) => schema.to_string(),
        Err(Examination::Damaged(why)) => {
            problems.push(CHECK.report(&DAMAGED, format!("{shown}: {why}"), &[]));
            String::new()
        }
        Err(Examination::Unknown(why)) if problems.is_empty() => {
            return CHECK.unknown(why, "systemctl restart podspawn-broker, and look again");
        }
        Err(Examination::Unknown(_)) => String::new(),
    };
    CHECK.merge(problems, format!("{shown} is whole, with schema {schema}"))
}

fn owned(path: &Path, uid: u32, mode: u32, is_file: bool, owner: Option<u32>) -> Vec<Report> {
    let shown = path.display();
    let mut problems = Vec::new();
    if !is_file || owner.is_some_and(|owner| owner != uid) {
        problems.push(CHECK.report(&FOREIGN, format!("{shown} belongs to uid {uid}"), &[("file", &shown)]));
    }
    if mode & 0o077 != 0 {
        let seen = format!("{shown} is open to others (mode {mode:04o})");
        problems.push(CHECK.report(&OPEN, seen, &[("file", &shown)]));
    }
    problems
}

enum Examination {
    Damaged(String),
    Unknown(String),
}

/// The schema of the database, of which a copy is read from end to end: nothing is written where the broker writes.
fn examine(path: &Path, scratch: &Path) -> Result<i64, Examination> {
    let directory = Scratch::new(scratch).map_err(|error| Examination::Unknown(error.to_string()))?;
    let copy = directory.0.join("state.db");
    let made = File::create_new(&copy).map_err(|error| Examination::Unknown(error.to_string()));
    made.and_then(|_| {
        Store::back_up(path, &copy).map_err(|error| match error {
            StoreError::Corrupt(_) | StoreError::Newer { .. } => Examination::Damaged(error.to_string()),
            other => Examination::Unknown(other.to_string()),
        })
    })
}

/// A directory for one run, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("doctor-{}", std::process::id()));
        // A killed run may have had the same process id.
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The directory is in memory, and gone with the next boot.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_another_owner_or_open_to_others_is_a_failure() {
        let path = Path::new("/s/state.db");
        assert_eq!(owned(path, 7, 0o600, true, Some(7)), []);
        let other = owned(path, 8, 0o644, true, Some(7));
        assert_eq!(other.len(), 2);
        assert_eq!(other[1].remedy, "chmod 0600 /s/state.db");
    }

    #[test]
    fn a_database_is_read_from_end_to_end_and_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        drop(Store::open(&path).unwrap());
        let before: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        // The copier waits until the file has been at rest for a moment.
        assert!(examine(&path, directory.path()).is_ok_and(|schema| schema > 0));
        let after: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(before, after);
        let mut bytes = fs::read(&path).unwrap();
        for byte in bytes.iter_mut().skip(4096) {
            *byte = 0xa5;
        }
        fs::write(&path, bytes).unwrap();
        assert!(matches!(examine(&path, directory.path()), Err(Examination::Damaged(_))));
    }
}
