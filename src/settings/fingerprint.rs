//! Whether any of several files changed since they were read.

use crate::{domain::UserName, sys::file_version::FileVersion};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A state of files and directories; absent ones count, so that one that appears is noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// What concerns all users: the server's files, and the directory of the users' files, which changes when one of
    /// them appears, goes or is replaced.
    shared: Vec<Seen>,
    /// What concerns one user.
    own: BTreeMap<UserName, Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    version: Option<FileVersion>,
}

impl Seen {
    fn now(path: &Path) -> Self {
        Self { path: path.to_owned(), version: version(path) }
    }

    fn holds(&self) -> bool {
        version(&self.path) == self.version
    }
}

impl Fingerprint {
    /// Takes down the state of `path` as it is now.
    pub(super) fn see(&mut self, path: &Path) {
        self.shared.push(Seen::now(path));
    }

    /// The same for the file of one user.
    pub(super) fn see_of(&mut self, user: &UserName, path: &Path) {
        self.own.insert(user.clone(), Seen::now(path));
    }

    /// Whether everything is still as it was.
    pub(super) fn holds(&self) -> bool {
        self.shared.iter().chain(self.own.values()).all(Seen::holds)
    }

    /// Whether everything that concerns `user` is still as it was: as many stats for ten thousand users as for one.
    pub(super) fn holds_for(&self, user: &UserName) -> bool {
        self.shared.iter().chain(self.own.get(user)).all(Seen::holds)
    }
}

/// Follows symlinks: a new generation of a Nix store is another inode behind the same name.
fn version(path: &Path) -> Option<FileVersion> {
    fs::metadata(path).ok().as_ref().map(FileVersion::from)
}
