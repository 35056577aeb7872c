//! Small files of a container that may be hostile: bounded, never blocking, replaced whole.
//!
//! The container's root can put anything at any path. What it does to itself is its own affair; a FIFO, a device, or
//! a file without end must not stop the guest.

use crate::sys::replace::Replacement;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Largest account file that is read, in bytes: some ten thousand accounts.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{0} is not a regular file")]
    NotRegular(PathBuf),
    #[error("{0} is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge(PathBuf),
    #[error("{path}: {error}")]
    System { path: PathBuf, error: Errno },
}

impl FileError {
    fn system(path: &Path, error: Errno) -> Self {
        Self::System { path: path.to_owned(), error }
    }
}

/// Where `path` of the container is for a guest whose root directory is `root`; only tests have another than `/`.
pub(super) fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Opens a regular file without waiting for anything.
fn open_regular(path: &Path, flags: OFlags) -> Result<(File, rustix::fs::Stat), FileError> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| FileError::system(path, error))?;
    let stat = rustix::fs::fstat(&fd).map_err(|error| FileError::system(path, error))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok((File::from(fd), stat))
    } else {
        Err(FileError::NotRegular(path.to_owned()))
    }
}

/// The content of a file; `None` if it is not there. Links are followed: Nix makes `/etc/passwd` one.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let file = match open_regular(path, OFlags::RDONLY) {
        Ok((file, _)) => file,
        Err(FileError::System { error: Errno::NOENT | Errno::NOTDIR, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    // The size is not believed: what grows while it is read ends at the bound too.
    match file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content) {
        Ok(_) if content.len() as u64 > MAX_FILE_BYTES => Err(FileError::TooLarge(path.to_owned())),
        Ok(_) => Ok(Some(content)),
        Err(error) => Err(FileError::system(path, Errno::from_io_error(&error).unwrap_or(Errno::IO))),
    }
}

/// Adds `added` at the end of the file whose content is `before`; both end in whole lines.
///
/// Readers see the old file or the new one. Where the directory cannot be written, or the file is a mount of its own,
/// it is appended to in place. A file that is not there is made with `mode`.
pub(super) fn extend(path: &Path, before: &[u8], whole: &[u8], mode: u32) -> Result<(), FileError> {
    match replace(path, whole, mode) {
        Ok(()) => Ok(()),
        Err(first) => {
            let added = whole.strip_prefix(before).ok_or(first)?;
            let (mut file, _) = open_regular(path, OFlags::WRONLY | OFlags::APPEND)?;
            file.write_all(added)
                .map_err(|error| FileError::system(path, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
        }
    }
}

/// Puts a new file with `content` in place of `path`, with the mode and the owner that the old one had.
///
/// The temporary file is created exclusively and not through a link; the container's root can have prepared either.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    // Root without CAP_CHOWN: the file is root's, as nearly always.
    let replaced = Replacement::new(mode).inheriting_if_allowed().write(path, content);
    replaced.map_err(|error| FileError::system(path, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
}

/// Whether `path` is a regular file with any execute permission.
pub(super) fn is_executable(path: &Path) -> bool {
    rustix::fs::statat(rustix::fs::CWD, path, AtFlags::empty())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_fifo_or_a_device_in_place_of_a_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("passwd");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(matches!(read(&fifo), Err(FileError::NotRegular(_))));
        assert!(matches!(read(Path::new("/dev/zero")), Err(FileError::NotRegular(_))));
        assert!(matches!(read(dir.path()), Err(FileError::NotRegular(_))));
        assert!(read(&dir.path().join("absent")).unwrap().is_none());
    }

    #[test]
    fn a_file_larger_than_the_bound_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        std::fs::File::create(&file).unwrap().set_len(MAX_FILE_BYTES).unwrap();
        assert!(read(&file).is_ok());
        std::fs::File::create(&file).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(read(&file), Err(FileError::TooLarge(_))));
    }

    #[test]
    fn a_file_keeps_its_mode_when_it_is_extended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shadow");
        std::fs::write(&file, "a\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        extend(&file, b"a\n", b"a\nb\n", 0o600).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\nb\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
