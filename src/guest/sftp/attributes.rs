//! A file's attributes: read from packets, taken from files, applied to files.

use super::wire::{Fields, Put, Truncated};
use rustix::{
    fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid},
    io::Errno,
};
use std::os::fd::{AsFd, BorrowedFd};

const SIZE: u32 = 1;
const UIDGID: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

/// What a client wants to set; absent fields stay as they are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
    /// Access and modification, in seconds since 1970.
    pub(super) times: Option<(u32, u32)>,
}

impl Attributes {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Truncated> {
        let flags = fields.u32()?;
        let mut found = Self::default();
        if flags & SIZE != 0 {
            found.size = Some(fields.u64()?);
        }
        if flags & UIDGID != 0 {
            found.owner = Some((fields.u32()?, fields.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            found.mode = Some(fields.u32()? & 0o7777);
        }
        if flags & TIMES != 0 {
            found.times = Some((fields.u32()?, fields.u32()?));
        }
        if flags & EXTENDED != 0 {
            // Each pair takes bytes, so a count that lies ends at the packet's end.
            for _ in 0..fields.u32()? {
                fields.string()?;
                fields.string()?;
            }
        }
        Ok(found)
    }

    fn timestamps(&self) -> Option<Timestamps> {
        let at = |seconds: u32| Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 };
        self.times
            .map(|(access, modification)| Timestamps { last_access: at(access), last_modification: at(modification) })
    }

    /// Applies them to an open file. All are tried; the last failure counts, as with OpenSSH.
    pub(super) fn apply_to(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut result = Ok(());
        let mut note = |outcome: Result<(), Errno>| result = outcome.or(result);
        note(result_or_ok(self.size, |size| rustix::fs::ftruncate(file, size)));
        note(result_or_ok(self.mode, |mode| rustix::fs::fchmod(file, Mode::from_raw_mode(mode))));
        note(result_or_ok(self.timestamps(), |times| rustix::fs::futimens(file, &times)));
        note(result_or_ok(self.owner, |(uid, gid)| {
            rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        }));
        result
    }

    /// Applies them to a path; with `SYMLINK_NOFOLLOW` to the link itself, which has neither size nor mode.
    pub(super) fn apply_at(&self, path: &[u8], flags: AtFlags) -> Result<(), Errno> {
        let cwd = rustix::fs::CWD.as_fd();
        let follows = !flags.contains(AtFlags::SYMLINK_NOFOLLOW);
        let mut result = Ok(());
        let mut note = |outcome: Result<(), Errno>| result = outcome.or(result);
        note(result_or_ok(self.size, |size| if follows { truncate(path, size) } else { Err(Errno::OPNOTSUPP) }));
        note(result_or_ok(self.mode, |mode| rustix::fs::chmodat(cwd, path, Mode::from_raw_mode(mode), flags)));
        note(result_or_ok(self.timestamps(), |times| rustix::fs::utimensat(cwd, path, &times, flags)));
        note(result_or_ok(self.owner, |(uid, gid)| {
            rustix::fs::chownat(cwd, path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), flags)
        }));
        result
    }
}

fn result_or_ok<T>(value: Option<T>, apply: impl FnOnce(T) -> Result<(), Errno>) -> Result<(), Errno> {
    value.map_or(Ok(()), apply)
}

fn truncate(path: &[u8], size: u64) -> Result<(), Errno> {
    use rustix::fs::OFlags;
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::ftruncate(rustix::fs::open(path, flags, Mode::empty())?, size)
}

/// What a file has, as a packet carries it.
pub(super) fn encode(stat: &Stat) -> Vec<u8> {
    let mut to = Vec::with_capacity(32);
    to.put_u32(SIZE | UIDGID | PERMISSIONS | TIMES);
    to.put_u64(u64::try_from(stat.st_size).unwrap_or(0));
    to.put_u32(stat.st_uid);
    to.put_u32(stat.st_gid);
    to.put_u32(stat.st_mode);
    // Version 3 has 32 bits; before 1970 and after 2106 it has nothing.
    for seconds in [stat.st_atime, stat.st_mtime] {
        to.put_u32(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX));
    }
    to
}

/// No attributes.
pub(super) fn none() -> Vec<u8> {
    vec![0; 4]
}
