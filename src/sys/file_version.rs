//! Whether a file is still the one that was read, for the price of a stat.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _};

/// A state of a file or directory.
///
/// A change of content always changes one of these: a new file has another inode, a rewritten one another time. The
/// time of change counts as well as that of modification, since the latter can be set back (`cp -p`, `rsync -t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for FileVersion {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}
