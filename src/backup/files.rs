//! Files relative to open directories: nothing here is led astray by a name that becomes a link.

use super::manifest::{MAX_ENTRIES, Sum};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Dir, Mode, OFlags, Timespec, Timestamps},
};
use sha2::Digest as _;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::ffi::OsStringExt as _,
    path::Path,
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Without NONBLOCK, a fifo would hold us for ever.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const CREATE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);
/// What is read at once.
const CHUNK: usize = 128 * 1024;

/// Opens a directory by its path, links and all.
pub(super) fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?)
}

/// Opens a directory that is no link.
pub(super) fn directory_at(at: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(at, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens a regular file that is no link.
pub(super) fn regular_at(at: impl AsFd, name: &OsStr) -> io::Result<File> {
    checked(File::from(rustix::fs::openat(at, name, READ | OFlags::NOFOLLOW, Mode::empty())?))
}

/// Opens a regular file, through links: of directories that are root's alone.
pub(super) fn linked_at(at: impl AsFd, name: &OsStr) -> io::Result<File> {
    checked(File::from(rustix::fs::openat(at, name, READ, Mode::empty())?))
}

fn checked(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"))
}

/// Makes a file, for its owner alone.
pub(super) fn create_at(at: impl AsFd, name: &OsStr) -> io::Result<File> {
    Ok(rustix::fs::openat(at, name, CREATE, Mode::RUSR | Mode::WUSR)?.into())
}

/// Makes a directory, for its owner alone, and opens it.
pub(super) fn make_directory_at(at: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(&at, name, Mode::RWXU)?;
    directory_at(at, name)
}

/// The names in a directory, sorted.
pub(super) fn names(directory: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
        if names.len() > MAX_ENTRIES {
            return Err(io::Error::other(format!("more than {MAX_ENTRIES} files")));
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a file to its end, at most `limit` bytes of it; writes it to `into`, where what is zeros becomes a hole.
pub(super) fn copy(from: &mut File, mut into: Option<&mut File>, limit: u64) -> io::Result<(u64, Sum)> {
    let mut from = from.take(limit);
    let (mut hash, mut size, mut chunk) = (sha2::Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let count = match from.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        let read = &chunk[..count];
        if count == 0 {
            break;
        }
        hash.update(read);
        size += count as u64;
        if let Some(into) = &mut into {
            if read.iter().all(|byte| *byte == 0) {
                into.seek(SeekFrom::Start(size))?;
            } else {
                into.write_all(read)?;
            }
        }
    }
    if let Some(into) = into {
        into.set_len(size)?;
    }
    Ok((size, Sum::finish(hash)))
}

/// A time of modification; that of the last access becomes the same.
pub(super) fn times(modified: i64) -> Timestamps {
    let time = Timespec { tv_sec: modified, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// Brings the names in a directory to the disk.
pub(super) fn sync_names(directory_path: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(directory(directory_path)?)?)
}

/// Brings everything that was written to a file system to its disk.
pub(super) fn sync_all(at: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(at)?)
}

/// Whether there is anything of that name, be it a link that leads nowhere.
pub(super) fn is_there(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file or a directory with all that is in it, without following a link.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(file) if file.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
