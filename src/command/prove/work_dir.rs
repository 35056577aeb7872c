//! The directory of a run's keys and files: private, root's, and in memory, so that it is gone with the next boot at the
//! latest.

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use std::{
    cell::Cell,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const DIRECTORY: &str = "/run/podspawn/prove";
const LOCK: &str = "/run/podspawn/prove.lock";

/// Held during a run; the kernel releases it however the run ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Whether another process has it. Makes no file.
    pub(super) fn is_held() -> bool {
        File::open(LOCK).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// Takes the lock; `None` if another process has it.
    pub(super) fn take() -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(LOCK)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The directory; removed when it is dropped.
pub(super) struct WorkDir {
    path: PathBuf,
    files: Cell<u32>,
}

impl WorkDir {
    /// Makes it. The one of an interrupted run is removed first: with the lock held, no process uses it.
    pub(super) fn make() -> io::Result<Self> {
        let path = PathBuf::from(DIRECTORY);
        remove(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, files: Cell::new(0) })
    }

    /// Whether an interrupted run left one.
    pub(super) fn is_left() -> bool {
        Path::new(DIRECTORY).symlink_metadata().is_ok()
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A number that no file has yet.
    pub(super) fn next(&self) -> u32 {
        self.files.replace(self.files.get() + 1)
    }

    pub(super) fn remove(self) -> anyhow::Result<()> {
        remove(&self.path).with_context(|| format!("{}", self.path.display()))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // Removed already as a rule; otherwise the next run removes it.
        let _ = remove(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
