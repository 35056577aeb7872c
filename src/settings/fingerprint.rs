//! Whether any of several files changed since they were read.

use crate::sys::file_version::FileVersion;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A state of files and directories; absent ones count, so that one that appears is noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<(PathBuf, Option<FileVersion>)>);

impl Fingerprint {
    /// Takes down the state of `path` as it is now.
    pub(super) fn see(&mut self, path: &Path) {
        self.0.push((path.to_owned(), version(path)));
    }

    /// Whether everything is still as it was.
    pub(super) fn holds(&self) -> bool {
        self.0.iter().all(|(path, seen)| version(path) == *seen)
    }
}

/// Follows symlinks: a new generation of a Nix store is another inode behind the same name.
fn version(path: &Path) -> Option<FileVersion> {
    fs::metadata(path).ok().as_ref().map(FileVersion::from)
}
