//! Opening a file that lines are appended to: a regular file, its group's to read.

use rustix::fs::{Mode, OFlags, fchmod, open};
use std::{fs::File, io, path::Path};

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
