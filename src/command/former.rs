//! Records of accounts as they were before `add-user --existing`, so that `remove-user` can restore them.
//!
//! One file of root's for each account that `add-user --existing` converted, on the disk before anything of the account
//! changes and until all of it is given back. It is not in a backup: it is about this host's accounts.

use crate::{
    accounts::Account,
    domain::UserName,
    sys::{record, replace::sync_parent},
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
#[cfg(test)]
use std::path::Path;
use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt as _, path::PathBuf};

/// Where the files are.
pub(super) const PLACE: &str = "/var/lib/podspawn-accounts";
/// Largest file, in bytes: two paths and some flags.
const MAX_BYTES: u64 = 16 * 1024;

/// An account as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Former {
    /// The id of the account: another account of the same name is not meant.
    pub(super) uid: u32,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
    /// Whether it was in podspawn's group already.
    pub(super) was_member: bool,
    /// Whether its user manager was started at boot.
    pub(super) lingered: bool,
    /// Whether no password was set, which `useradd` writes as `!`.
    pub(super) had_no_password: bool,
}

/// The directory of the files.
#[derive(Debug)]
pub(super) struct Formers(PathBuf);

impl Formers {
    /// This host's.
    pub(super) fn new() -> Self {
        Self(PLACE.into())
    }

    #[cfg(test)]
    pub(super) fn under(root: &Path) -> Self {
        Self(root.join("accounts"))
    }

    fn path(&self, user: &UserName) -> PathBuf {
        self.0.join(user.as_ref())
    }

    /// The record of `account`; `None` if it was never converted, or the record is about another account of its name.
    pub(super) fn of(&self, account: &Account) -> anyhow::Result<Option<Former>> {
        Ok(self.read(&account.name)?.filter(|former| former.uid == account.uid))
    }

    fn read(&self, user: &UserName) -> anyhow::Result<Option<Former>> {
        let path = self.path(user);
        let read = || -> anyhow::Result<Option<Former>> {
            let Some(former) = record::read::<Former>(&path, MAX_BYTES)? else { return Ok(None) };
            // They become arguments of usermod(8), and fields of passwd(5).
            for path in [&former.home, &former.shell] {
                let is_field = path.to_str().is_some_and(|text| !text.contains(|c: char| c == ':' || c.is_control()));
                anyhow::ensure!(path.is_absolute() && is_field, "it has a path that no account can have");
            }
            Ok(Some(former))
        };
        read().with_context(|| format!("reading {}", path.display()))
    }

    /// Puts `former` on the disk for `user`. An earlier record of the same account stays: it is of the original state.
    pub(super) fn write(&self, user: &UserName, former: &Former) -> anyhow::Result<()> {
        if self.read(user).is_ok_and(|known| known.is_some_and(|known| known.uid == former.uid)) {
            return Ok(());
        }
        let path = self.path(user);
        let write = || -> io::Result<()> {
            match DirBuilder::new().mode(0o700).create(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    sync_parent(&self.0)?;
                }
            }
            record::write(&path, former)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// Removes the record of `user`.
    pub(super) fn forget(&self, user: &UserName) -> anyhow::Result<()> {
        let path = self.path(user);
        record::remove(&path).with_context(|| format!("removing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::MetadataExt as _};

    fn account(uid: u32) -> Account {
        Account { name: "bob".parse().unwrap(), uid, gid: uid, home: "/home/bob".into(), shell: "/bin/zsh".into() }
    }

    fn former(home: &str) -> Former {
        Former {
            uid: 1003,
            home: home.into(),
            shell: "/bin/zsh".into(),
            was_member: false,
            lingered: true,
            had_no_password: false,
        }
    }

    #[test]
    fn the_first_record_of_an_account_stays_until_it_is_restored() {
        let root = tempfile::tempdir().unwrap();
        let formers = Formers(root.path().join("accounts"));
        let user = account(1003).name;
        assert_eq!(formers.of(&account(1003)).unwrap(), None);
        formers.write(&user, &former("/home/bob")).unwrap();
        assert_eq!(root.path().join("accounts").metadata().unwrap().mode() & 0o7777, 0o700);
        // An interrupted conversion is repeated on the account that it has changed already.
        formers.write(&user, &former("/var/empty")).unwrap();
        assert_eq!(formers.of(&account(1003)).unwrap(), Some(former("/home/bob")));
        // The account was removed by hand, and another has its name.
        assert_eq!(formers.of(&account(1004)).unwrap(), None);
        formers.write(&user, &Former { uid: 1004, ..former("/home/other") }).unwrap();
        assert_eq!(formers.of(&account(1004)).unwrap().unwrap().home, Path::new("/home/other"));
        formers.forget(&user).unwrap();
        formers.forget(&user).unwrap();
        assert_eq!(formers.of(&account(1004)).unwrap(), None);
        assert_eq!(fs::read_dir(&formers.0).unwrap().count(), 0);
    }

    #[test]
    fn a_record_that_is_none_is_an_error_and_not_the_absence_of_one() {
        let root = tempfile::tempdir().unwrap();
        let formers = Formers(root.path().to_owned());
        let good = serde_json::to_string(&former("/home/bob")).unwrap();
        for text in ["", "{}", &good.replace("/home/bob", "home"), &good.replace("/home/bob", "/h:/bin/sh")] {
            fs::write(root.path().join("bob"), text).unwrap();
            assert!(formers.of(&account(1003)).is_err(), "{text}");
        }
        fs::write(root.path().join("bob"), good).unwrap();
        formers.of(&account(1003)).unwrap().unwrap();
    }
}
