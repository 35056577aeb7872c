//! What is done to files: open, read, write, rename, resolve.

use super::server::Result;
use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::FileExt,
    },
    path::{Path, PathBuf},
};

const READ: u32 = 1;
const WRITE: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// Opens a file by the protocol's flags.
pub(super) fn open(path: &[u8], flags: u32, mode: u32) -> Result<File> {
    let mut how = match flags & (READ | WRITE) {
        WRITE => OFlags::WRONLY,
        both if both == READ | WRITE => OFlags::RDWR,
        _ => OFlags::RDONLY,
    };
    for (flag, add) in
        [(APPEND, OFlags::APPEND), (CREATE, OFlags::CREATE), (TRUNCATE, OFlags::TRUNC), (EXCLUSIVE, OFlags::EXCL)]
    {
        if flags & flag != 0 {
            how |= add;
        }
    }
    let file = rustix::fs::open(path, how | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::from_raw_mode(mode))?;
    Ok(File::from(file))
}

/// Up to `length` bytes at `offset`; what has no offsets is read in order.
pub(super) fn read(file: &mut File, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut data = vec![0; length];
    let mut filled = 0;
    // A short answer makes OpenSSH's client ask for smaller pieces from then on, so a file is read until it ends.
    while filled < length {
        let Some(room) = data.get_mut(filled..) else { break };
        let place = offset.saturating_add(filled as u64);
        let result = match file.read_at(room, place) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SPIPE) => {
                filled += file.read(room)?;
                break;
            }
            result => result,
        };
        match result {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // What was read is an answer; the next request meets the error.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    data.truncate(filled);
    Ok(data)
}

/// Writes all of `data` at `offset`, or in order to what has no offsets.
pub(super) fn write(file: &mut File, offset: u64, data: &[u8]) -> Result<()> {
    match file.write_all_at(data, offset) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::SPIPE) => Ok(file.write_all(data)?),
        result => Ok(result?),
    }
}

/// Renames, unless something has the new name: version 3 says so.
pub(super) fn rename(old: &[u8], new: &[u8]) -> std::result::Result<(), Errno> {
    let cwd = rustix::fs::CWD;
    match rustix::fs::renameat_with(cwd, old, cwd, new, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it.
        Err(Errno::INVAL | Errno::NOSYS) => match rustix::fs::statat(cwd, new, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST),
            Err(_) => rustix::fs::rename(old, new),
        },
        result => result,
    }
}

/// The absolute path without links; its last part need not exist.
pub(super) fn real_path(path: &[u8]) -> Result<Vec<u8>> {
    let path = if path.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(path)) };
    let resolved = match std::fs::canonicalize(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                std::fs::canonicalize(parent)?.join(name)
            }
            _ => return Err(error.into()),
        },
        result => result?,
    };
    Ok(PathBuf::into_os_string(resolved).into_vec())
}
