//! A file that lines are appended to: a regular file, its group's to read, that others may rename and cut meanwhile.

use rustix::fs::{Mode, OFlags, fchmod, open};
use std::{
    fs::{File, Metadata},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// Opens the file at `path` for reading and appending, or creates it with mode 0640: the service's umask has no say in
/// it, since its group is to read it.
pub fn append(path: &Path) -> io::Result<File> {
    const READ_APPEND: OFlags = OFlags::RDWR.union(OFlags::APPEND);
    match regular(path, READ_APPEND | OFlags::CREATE | OFlags::EXCL) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => regular(path, READ_APPEND),
        Ok(file) => fchmod(&file, MODE).map(|()| file).map_err(Into::into),
        error => error,
    }
}

/// Opens a file that is nothing else: a fifo would hold the broker for ever.
pub fn regular(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let file = File::from(open(path, flags, MODE)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("this is not a regular file")) }
}

/// Whether two names are of one file.
#[must_use]
pub fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Appends a line, whole or not at all.
pub fn write_whole(file: &mut File, line: &[u8]) -> io::Result<()> {
    let count = loop {
        match file.write(line) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if count < line.len() {
        // The disk is full in the middle of the line. If the rest stays, the next open finds it.
        let size = file.metadata()?.len();
        file.set_len(size.saturating_sub(count as u64))?;
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}
