//! Reading a key file that only root can have written.

use rustix::fs::{Mode, OFlags, open};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// The owner of key files.
pub(in crate::command) const ROOT: u32 = 0;
/// Largest file, in bytes: a thousand keys with room for comments.
const MAX_BYTES: u64 = 1024 * 1024;
/// Write permission of the group or of others.
const WRITABLE: u32 = 0o022;

/// Why a key file is not used. A user without keys is [`Self::Io`] with `NotFound`.
#[derive(Debug, thiserror::Error)]
pub(in crate::command) enum KeyFileError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("this is not a regular file")]
    NotAFile,
    /// A user other than root could put a key there.
    #[error("uid {owner} with mode {mode:04o} could add keys; the file must be root's and at most 0644")]
    NotOurs { owner: u32, mode: u32 },
    #[error("more than {MAX_BYTES} bytes")]
    TooLarge,
}

/// The bytes of the file, which only `owner` can write. Symlinks are followed: files that are declared
/// to NixOS are links into the store, and it is the file that has to be root's.
pub(in crate::command) fn read(path: &Path, owner: u32) -> Result<Vec<u8>, KeyFileError> {
    // Without NONBLOCK, opening a fifo would hold the login for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(KeyFileError::NotAFile);
    }
    if about.uid() != owner || about.mode() & WRITABLE != 0 {
        return Err(KeyFileError::NotOurs { owner: about.uid(), mode: about.mode() & 0o7777 });
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(KeyFileError::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    #[test]
    fn only_a_file_that_its_owner_alone_can_write_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice");
        let me = fs::metadata(directory.path()).unwrap().uid();
        fs::write(&path, "keys").unwrap();
        for (mode, good) in [(0o640, true), (0o444, true), (0o660, false), (0o646, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, me).is_ok(), good, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path, me + 1), Err(KeyFileError::NotOurs { .. })));

        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link, me).unwrap(), b"keys");
        assert!(matches!(read(directory.path(), me), Err(KeyFileError::NotAFile)));
        assert!(matches!(read(&directory.path().join("bob"), me), Err(KeyFileError::Io(_))));
        fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
        assert!(matches!(read(&path, me), Err(KeyFileError::TooLarge)));
    }
}
