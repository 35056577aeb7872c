//! A small JSON file that a later run acts upon as root: written whole and durably, and used only if no other user can
//! have written it.

use super::replace::{self, Replacement};
use rustix::fs::{Mode, OFlags, open};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

const MODE: u32 = 0o600;
/// Write permission of the group or of others.
const WRITABLE: u32 = 0o022;

/// Why a record is not used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no regular file.
    #[error("not a regular file")]
    NotAFile,
    /// Another user could have written it.
    #[error("uid {owner} with mode {mode:04o} could have written this file, which must belong to the caller alone")]
    Untrusted {
        /// The file's owner.
        owner: u32,
        /// The file's mode.
        mode: u32,
    },
    /// It is larger than any record.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// It is no such record.
    #[error("{0}")]
    Invalid(#[from] serde_json::Error),
}

/// Puts `record` on the disk at `path`, for the caller alone, in place of an earlier one.
pub fn write(path: &Path, record: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    Replacement::new(MODE).durable().write(path, &text)
}

/// The record at `path`, of at most `limit` bytes; `None` if there is none.
pub fn read<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<Option<T>, RecordError> {
    // Without NONBLOCK, opening a fifo would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(RecordError::NotAFile),
        opened => File::from(opened.map_err(io::Error::from)?),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(RecordError::NotAFile);
    }
    if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & WRITABLE != 0 {
        return Err(RecordError::Untrusted { owner: about.uid(), mode: about.mode() & 0o7777 });
    }
    let mut text = Vec::new();
    file.take(limit + 1).read_to_end(&mut text)?;
    if text.len() as u64 > limit {
        return Err(RecordError::TooLarge(limit));
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Removes the record for good, if there is one.
pub fn remove(path: &Path) -> io::Result<()> {
    replace::remove(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    type Record = Vec<String>;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record");
        assert!(read::<Record>(&path, 100).unwrap().is_none());
        assert!(read::<Record>(&directory.path().join("no/such"), 100).unwrap().is_none());
        write(&path, &["a", "b"]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, MODE);
        assert_eq!(read::<Record>(&path, 100).unwrap().unwrap(), ["a", "b"]);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(read::<Record>(&path, 100).unwrap().is_none());
    }

    #[test]
    fn a_record_that_another_user_could_have_written_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("record"), directory.path().join("link"));
        write(&path, &["a"]).unwrap();
        symlink(&path, &link).unwrap();
        assert!(matches!(read::<Record>(&link, 100), Err(RecordError::NotAFile)));
        assert!(matches!(read::<Record>(directory.path(), 100), Err(RecordError::NotAFile)));
        assert!(matches!(read::<Record>(&path, 5), Err(RecordError::TooLarge(5))));
        for mode in [0o620, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read::<Record>(&path, 100), Err(RecordError::Untrusted { .. })), "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, "{}").unwrap();
        assert!(matches!(read::<Record>(&path, 100), Err(RecordError::Invalid(_))));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
            assert!(matches!(read::<Record>(&path, 100), Err(RecordError::Untrusted { owner: 4711, .. })));
        }
    }
}
