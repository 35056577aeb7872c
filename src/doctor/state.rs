//! The state database, the homes, and what podspawn has no use for.

use super::{Finding, Host, Report};
use crate::store::{Store, StoreError};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

const DATABASE: &str = "state-db";
const HOMES: &str = "homes";
const LOCKS: &str = "lock-directory";
/// Where the copy that is examined lies: in memory, and root's.
const SCRATCH: &str = "/run/podspawn";
/// Whose the state is.
const OWNER: &str = "podspawn";

/// `state-db`.
pub(super) fn database(host: &Host) -> Vec<Report> {
    let path = host.settings.config.state.db_path.as_path();
    // First of all: the question may start the broker, which makes a database where there is none.
    let has_broker = host.broker().is_ok();
    let owner = host.local.as_ref().and_then(|local| local.account(OWNER)).map(|account| account.uid);
    let mut findings = match fs::symlink_metadata(path) {
        Ok(about) => owned(path, about.uid(), about.mode() & 0o7777, about.is_file(), owner),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_broker => {
            let seen = format!("{} is gone, and the broker goes on with what nobody will find again", path.display());
            return vec![Report::fail(DATABASE, seen, "systemctl restart podspawn-broker.service")];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Report::pass(
                DATABASE,
                format!("{} is made by the first start of the broker", path.display()),
            )];
        }
        Err(error) => return vec![Report::unknown(DATABASE, error, "")],
    };
    let schema = examine(path, Path::new(SCRATCH));
    match &schema {
        Err(Examination::Damaged(why)) => findings.push(Finding::broken(
            format!("{}: {why}", path.display()),
            "podspawn restore /var/backups/podspawn/TIME, the newest there is",
        )),
        Err(Examination::Unknown(why)) if findings.is_empty() => {
            return vec![Report::unknown(DATABASE, why, "systemctl restart podspawn-broker, and look again")];
        }
        Ok(_) | Err(Examination::Unknown(_)) => {}
    }
    let schema = schema.map_or_else(|_| "?".to_owned(), |schema| schema.to_string());
    vec![Report::of(DATABASE, findings, format!("{} is whole, with schema {schema}", path.display()))]
}

fn owned(path: &Path, uid: u32, mode: u32, is_file: bool, owner: Option<u32>) -> Vec<Finding> {
    let shown = path.display();
    let mut findings = Vec::new();
    if !is_file || owner.is_some_and(|owner| owner != uid) {
        findings.push(Finding::broken(
            format!("{shown} belongs to uid {uid}"),
            format!("chown {OWNER}:{OWNER} {shown} {shown}-wal {shown}-shm"),
        ));
    }
    if mode & 0o077 != 0 {
        findings.push(Finding::broken(
            format!("{shown} is open to others (mode {mode:04o})"),
            format!("chmod 0600 {shown}"),
        ));
    }
    findings
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
        // Of one that was killed and had our number.
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in memory until the next boot.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `homes`.
pub(super) fn homes(host: &Host) -> Vec<Report> {
    let homes = host.settings.config.state.homes_dir.as_path();
    vec![match host.broker() {
        Ok(reply) => judge_homes(homes, reply.homes_error.as_deref()),
        Err(_) => Report::unknown(HOMES, "the broker does not say", "see broker"),
    }]
}

/// `lock-directory`.
pub(super) fn lock_directory(host: &Host) -> Vec<Report> {
    let state = host.settings.config.state.db_path.as_path().parent().unwrap_or(Path::new("/"));
    vec![locks(&state.join("locks"))]
}

fn judge_homes(homes: &Path, error: Option<&str>) -> Report {
    let shown = homes.display();
    match error {
        None => Report::pass(HOMES, format!("the broker can make homes in {shown}")),
        Some(why) => {
            let make = format!("install -d -m 0700 -o {OWNER} -g {OWNER} {shown}");
            let remedy = format!(
                "{make}; outside of /var/lib/podspawn also: systemctl edit podspawn-broker, [Service] ReadWritePaths={shown}"
            );
            // The module lets the broker write wherever its settings say.
            Report::fail(HOMES, format!("the broker cannot write to {why}"), remedy).on_nixos(make)
        }
    }
}

fn locks(path: &Path) -> Report {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok() {
        return Report::warn(
            LOCKS,
            format!("{shown} is nothing of podspawn's, and nobody reads it"),
            format!("rm -r {shown}"),
        );
    }
    Report::pass(LOCKS, "podspawn has none and needs none: the broker alone writes the state")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_database_of_somebody_else_or_open_to_others_is_told() {
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

    #[test]
    fn homes_that_cannot_be_written_and_a_lock_directory_are_told() {
        let homes = Path::new("/srv/homes");
        assert_eq!(judge_homes(homes, None).outcome, Outcome::Pass);
        let bad = judge_homes(homes, Some("/srv/homes: Read-only file system"));
        assert!(bad.outcome == Outcome::Fail && bad.remedy.contains("ReadWritePaths=/srv/homes"), "{bad:?}");
        assert_eq!(locks(Path::new("/nowhere/locks")).outcome, Outcome::Pass);
        assert_eq!(locks(Path::new("/")).outcome, Outcome::Warn);
    }
}
