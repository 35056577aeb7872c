//! What is done to files: open, read, write, copy, rename.

use super::{
    failure::{Failure, Result},
    handles::Opened,
};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, RenameFlags, SeekFrom},
    io::Errno,
};
use std::{ffi::CString, os::fd::AsRawFd};

const READ: u32 = 1;
const WRITE: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// Opens a file by the protocol's flags.
pub(super) fn open(path: &[u8], flags: u32, mode: u32) -> Result<Opened> {
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
    Ok(Opened { file: file.into(), path: path.to_vec(), appends: flags & APPEND != 0 })
}

/// Up to `length` bytes at `offset`; none at the end.
pub(super) fn read(file: &Opened, offset: u64, length: usize) -> Result<Vec<u8>> {
    rustix::fs::seek(&file.file, SeekFrom::Start(offset))?;
    let mut data = vec![0; length];
    // A short answer makes OpenSSH's client ask for smaller pieces from then on, so a file is read until it ends.
    let filled = fill(file, &mut data)?;
    data.truncate(filled);
    Ok(data)
}

/// Reads from where the file's place is until `room` is full or the file ends. What was read before an error is an answer;
/// the next request meets the error.
fn fill(file: &Opened, room: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while let Some(room) = room.get_mut(filled..).filter(|room| !room.is_empty()) {
        match rustix::io::read(&file.file, room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// Puts the place of the next write at `offset`; what is appended to has its own.
fn seek_for_write(file: &Opened, offset: u64) -> Result<()> {
    if !file.appends {
        rustix::fs::seek(&file.file, SeekFrom::Start(offset))?;
    }
    Ok(())
}

/// Writes all of `data` at `offset`, or at the end of a file that is appended to.
pub(super) fn write(file: &Opened, offset: u64, data: &[u8]) -> Result<()> {
    seek_for_write(file, offset)?;
    write_on(file, data)
}

/// Writes all of `data` where the file's place is. The kernel is asked for nothing too: it refuses where it refuses
/// something.
fn write_on(file: &Opened, mut data: &[u8]) -> Result<()> {
    loop {
        match rustix::io::write(&file.file, data) {
            Ok(written) => data = data.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if data.is_empty() {
            return Ok(());
        }
    }
}

/// Bytes that a copy moves at a time: OpenSSH's, since it decides what a copy beyond the end of a file is answered with.
const COPY_BYTES: usize = 64 * 1024;

/// Copies `length` bytes between files, or all up to the end for 0. A file that ends before is a success if less than a
/// piece is missing, as with OpenSSH, and else an end of file.
pub(super) fn copy(from: &Opened, offset: u64, length: u64, to: &Opened, to_offset: u64) -> Result<()> {
    if from.path == to.path {
        return Err(Failure::Refused);
    }
    rustix::fs::seek(&from.file, SeekFrom::Start(offset))?;
    seek_for_write(to, to_offset)?;
    let to_the_end = length == 0;
    let mut piece = vec![0; COPY_BYTES];
    let mut left = length;
    while left > 0 || to_the_end {
        let want = if to_the_end { COPY_BYTES } else { usize::try_from(left).unwrap_or(COPY_BYTES).min(COPY_BYTES) };
        left = left.saturating_sub(want as u64);
        let filled = fill(from, piece.get_mut(..want).unwrap_or_default())?;
        if filled == 0 {
            return if to_the_end || left == 0 { Ok(()) } else { Err(Failure::EndOfFile) };
        }
        write_on(to, piece.get(..filled).unwrap_or_default())?;
    }
    Ok(())
}

/// Cuts or extends the file at a path.
#[expect(clippy::cast_possible_wrap)] // The kernel refuses a negative size, which is what a size over 2^63 becomes.
pub(super) fn truncate(path: &[u8], size: u64) -> std::result::Result<(), Errno> {
    let path = CString::new(path).map_err(|_| Errno::INVAL)?;
    // SAFETY: the path is a C string that lives through the call.
    if unsafe { libc::truncate(path.as_ptr(), size as libc::off_t) } == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Changes the mode of what a path names, which may be no link: Linux has no modes of links.
pub(super) fn change_mode(path: &[u8], mode: Mode) -> std::result::Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) == FileType::Symlink {
        return Err(Errno::OPNOTSUPP);
    }
    // Such a descriptor takes no fchmod(2); its name in /proc is the file itself.
    rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), mode)
}

/// Renames, unless something has the new name: version 3 says so. As with OpenSSH, a link that leads nowhere is nothing,
/// unless the old name is a regular file's.
pub(super) fn rename(old: &[u8], new: &[u8]) -> std::result::Result<(), Errno> {
    let is_regular = FileType::from_raw_mode(rustix::fs::lstat(old)?.st_mode) == FileType::RegularFile;
    match rustix::fs::renameat_with(CWD, old, CWD, new, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it.
        Err(Errno::INVAL | Errno::NOSYS) => match rustix::fs::lstat(new) {
            Ok(_) => Err(Errno::EXIST),
            Err(_) => rustix::fs::rename(old, new),
        },
        Err(Errno::EXIST) if !is_regular && rustix::fs::stat(new).is_err() => rustix::fs::rename(old, new),
        result => result,
    }
}
