//! Files relative to open directories, so that a name that becomes a symlink leads nowhere else.

use super::manifest::{MAX_ENTRIES, Sum};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Dir, Mode, OFlags, Timespec, Timestamps},
    io::Errno,
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
/// Bytes of one read.
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
    names_at_most(directory, MAX_ENTRIES)?.ok_or_else(|| io::Error::other(format!("more than {MAX_ENTRIES} files")))
}

/// The names in a directory, sorted; `None` if there are more than `limit`.
pub(super) fn names_at_most(directory: impl AsFd, limit: usize) -> io::Result<Option<Vec<OsString>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
        if names.len() > limit {
            return Ok(None);
        }
    }
    names.sort();
    Ok(Some(names))
}

/// Reads a file to its end, at most `limit` bytes of it; writes it to `into`, where zeros become a hole.
pub(super) fn copy(from: &mut File, into: Option<&mut File>, limit: u64) -> io::Result<(u64, Sum)> {
    copy_paced(from, into, limit, |_| Ok(()))
}

/// As [`copy`]; `pace` is called with the number of bytes before each step and may end it.
///
/// Holes are hashed, but neither read nor written: a file of 15 TiB may have no data at all.
pub(super) fn copy_paced(
    from: &mut File,
    mut into: Option<&mut File>,
    limit: u64,
    mut pace: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<(u64, Sum)> {
    let end = from.metadata()?.len().min(limit);
    let (mut hash, mut size, mut chunk) = (sha2::Sha256::new(), 0, vec![0; CHUNK]);
    let zeros = vec![0; CHUNK];
    while size < end {
        let before = size;
        let data = next(from, Edge::Data, size, end)?;
        while size < data {
            let step = length(data - size);
            pace(step as u64)?;
            hash.update(&zeros[..step]);
            size += step as u64;
        }
        let hole = next(from, Edge::Hole, size, end)?;
        from.seek(SeekFrom::Start(size))?;
        while size < hole {
            let step = length(hole - size);
            pace(step as u64)?;
            let count = match from.read(&mut chunk[..step]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            let read = &chunk[..count];
            if count == 0 {
                // It has become shorter.
                return finish(into, size, hash);
            }
            hash.update(read);
            if let Some(into) = &mut into
                && read.iter().any(|byte| *byte != 0)
            {
                into.seek(SeekFrom::Start(size))?;
                into.write_all(read)?;
            }
            size += count as u64;
        }
        if size == before {
            // It has become shorter, or data has become a hole.
            pace(0)?;
            if from.metadata()?.len() <= size {
                break;
            }
        }
    }
    finish(into, size, hash)
}

fn finish(into: Option<&mut File>, size: u64, hash: sha2::Sha256) -> io::Result<(u64, Sum)> {
    if let Some(into) = into {
        into.set_len(size)?;
    }
    Ok((size, Sum::finish(hash)))
}

/// At most a chunk.
fn length(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))
}

#[derive(Clone, Copy)]
enum Edge {
    Data,
    Hole,
}

/// Where the next data or the next hole begins, from `at` on and at most at `end`. A file system that does not know
/// has data only.
fn next(file: &File, edge: Edge, at: u64, end: u64) -> io::Result<u64> {
    let found = match edge {
        Edge::Data => rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)),
        Edge::Hole => rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(at)),
    };
    match (found, edge) {
        (Ok(place), _) => Ok(place.clamp(at, end)),
        // There is none up to the end, or the file has become shorter.
        (Err(Errno::NXIO), _) => Ok(end.min(file.metadata()?.len()).max(at)),
        (Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS), Edge::Data) => Ok(at),
        (Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS), Edge::Hole) => Ok(end),
        (Err(error), _) => Err(error.into()),
    }
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

/// Whether a file of that name exists, be it a dangling symlink.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file, or a directory with all its files, without following a link.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(file) if file.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
