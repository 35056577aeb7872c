//! A file's attributes: read from packets, taken from files, applied to files.

use super::{
    files,
    wire::{Answer, Fields, Put, Truncated},
};
use crate::sys::ids;
use rustix::{
    fs::{AtFlags, CWD, Mode, Stat, Timespec, Timestamps},
    io::Errno,
};
use std::os::fd::BorrowedFd;

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

    /// Applies them to an open file.
    pub(super) fn apply_to(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut outcome = Outcome::default();
        outcome.note(self.size, |size| rustix::fs::ftruncate(file, size));
        outcome.note(self.mode, |mode| rustix::fs::fchmod(file, Mode::from_raw_mode(mode)));
        outcome.note(self.timestamps(), |times| rustix::fs::futimens(file, &times));
        outcome.note(self.owner, |(uid, gid)| rustix::fs::fchown(file, ids::uid(uid), ids::gid(gid)));
        outcome.0
    }

    /// Applies them to a path, following links.
    pub(super) fn apply_at(&self, path: &[u8]) -> Result<(), Errno> {
        let mut outcome = Outcome::default();
        outcome.note(self.size, |size| files::truncate(path, size));
        outcome.note(self.mode, |mode| rustix::fs::chmod(path, Mode::from_raw_mode(mode)));
        outcome.note(self.timestamps(), |times| rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()));
        outcome.note(self.owner, |(uid, gid)| rustix::fs::chown(path, ids::uid(uid), ids::gid(gid)));
        outcome.0
    }

    /// Applies them to a path, and to the link itself if it is one. A link has no size, so a request with a size changes
    /// nothing.
    pub(super) fn apply_at_link(&self, path: &[u8]) -> Result<(), Errno> {
        let mut outcome = Outcome::default();
        if self.size.is_some() {
            return Err(Errno::INVAL);
        }
        let itself = AtFlags::SYMLINK_NOFOLLOW;
        outcome.note(self.mode, |mode| files::change_mode(path, Mode::from_raw_mode(mode)));
        outcome.note(self.timestamps(), |times| rustix::fs::utimensat(CWD, path, &times, itself));
        outcome.note(self.owner, |(uid, gid)| rustix::fs::chownat(CWD, path, ids::uid(uid), ids::gid(gid), itself));
        outcome.0
    }
}

/// What setting several attributes comes to: all are tried, and the last failure is the answer, as with OpenSSH.
struct Outcome(Result<(), Errno>);

impl Default for Outcome {
    fn default() -> Self {
        Self(Ok(()))
    }
}

impl Outcome {
    /// Sets an attribute, if the client gave one.
    fn note<T>(&mut self, value: Option<T>, set: impl FnOnce(T) -> Result<(), Errno>) {
        if let Some(Err(error)) = value.map(set) {
            self.0 = Err(error);
        }
    }
}

/// What a file has, as a packet carries it.
pub(super) fn encode(stat: &Stat) -> Vec<u8> {
    let mut to = Vec::with_capacity(32);
    to.put_u32(SIZE | UIDGID | PERMISSIONS | TIMES);
    to.put_u64(u64::try_from(stat.st_size).unwrap_or(0));
    to.put_u32(stat.st_uid);
    to.put_u32(stat.st_gid);
    to.put_u32(stat.st_mode);
    // Version 3 has the low 32 bits of a time, whatever the others are.
    for seconds in [stat.st_atime, stat.st_mtime] {
        to.put_u32(u32::try_from(seconds & i64::from(u32::MAX)).unwrap_or(0));
    }
    to
}

/// No attributes.
pub(super) fn none() -> Vec<u8> {
    vec![0; 4]
}

/// An answer that consists of one name.
pub(super) fn name_only(name: Vec<u8>) -> Answer {
    Answer::Names(vec![(name.clone(), name, none())])
}
