//! Programs that the host starts for an account without a login: a lingering user manager, crontabs, jobs of at(1).

use super::Account;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Directories with a crontab for each user: Debian, Fedora and Arch, openSUSE.
const CRONTABS: [&str; 3] = ["var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs"];
/// Directories of at(1), where a job is a file of its owner: Debian, Fedora.
const AT_JOBS: [&str; 3] = ["var/spool/cron/atjobs", "var/spool/at", "var/spool/atjobs"];
/// Where logind keeps for whom a user manager is started at boot.
const LINGER: &str = "var/lib/systemd/linger";
/// Most jobs that are named.
const MAX_JOBS: usize = 5;

/// The file that makes the account linger under `root`, if there is one.
#[must_use]
pub fn linger(root: &Path, account: &Account) -> Option<PathBuf> {
    Some(root.join(LINGER).join(account.name.as_ref())).filter(|path| path.symlink_metadata().is_ok())
}

/// Files below `root` with jobs that run as the account: at most a handful, which is enough to name.
#[must_use]
pub fn scheduled(root: &Path, account: &Account) -> Vec<PathBuf> {
    let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|about| about.is_file());
    let tabs = CRONTABS.iter().map(|place| root.join(place).join(account.name.as_ref())).filter(is_file);
    let is_its =
        |path: &PathBuf| path.symlink_metadata().is_ok_and(|about| about.is_file() && about.uid() == account.uid);
    let jobs = AT_JOBS
        .iter()
        .filter_map(|place| fs::read_dir(root.join(place)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(is_its);
    tabs.chain(jobs).take(MAX_JOBS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_found_by_name_and_by_owner() {
        let root = tempfile::tempdir().unwrap();
        let me = root.path().metadata().unwrap().uid();
        let account = |uid| Account {
            name: "alice".parse().unwrap(),
            uid,
            gid: 1,
            home: "/var/empty".into(),
            shell: "/bin/sh".into(),
        };
        assert!(scheduled(root.path(), &account(me)).is_empty() && linger(root.path(), &account(me)).is_none());
        for place in CRONTABS.iter().chain(&AT_JOBS).chain(&[LINGER]) {
            fs::create_dir_all(root.path().join(place)).unwrap();
        }
        for file in ["var/spool/cron/crontabs/alice", "var/spool/cron/crontabs/bob", "var/spool/cron/atjobs/a0001"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        fs::write(root.path().join(LINGER).join("alice"), "").unwrap();
        let found = scheduled(root.path(), &account(me));
        assert_eq!(
            found,
            ["var/spool/cron/crontabs/alice", "var/spool/cron/atjobs/a0001"].map(|path| root.path().join(path))
        );
        assert_eq!(scheduled(root.path(), &account(me + 1)).len(), 1);
        assert_eq!(linger(root.path(), &account(me)), Some(root.path().join(LINGER).join("alice")));
    }
}
