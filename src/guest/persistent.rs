//! A home that outlives its container, and that other containers of the same user may have at the same time.
//!
//! Only the first of them may change whose it is: each guest holds a lock on the directory as long as it lives, which
//! the kernel shares between containers and releases however a guest ends. As everywhere, no link is followed.

use super::{
    files::under,
    home::{self, DIRECTORY, Owner},
};
use crate::protocol::guest::GUEST_SOCKET_DIR;
use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    cell::{Cell, OnceCell},
    ffi::CStr,
    os::fd::OwnedFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long another guest's first look at the home is waited for: milliseconds, unless it hands a large one over.
const PREPARATION: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);
/// How long a home is handed over at once, enough for some hundred thousand files. Other logins wait meanwhile.
const HAND_OVER: Duration = Duration::from_secs(20);
/// How deep directories are looked into, each with a descriptor of ours.
const MAX_DEPTH: usize = 200;

/// Why the home is not the user's here.
#[derive(Debug, thiserror::Error)]
pub(super) enum HomeError {
    #[error(
        "your home directory belongs to user id {owner}, which you do not have here, and another of your containers uses \
         it: stop that one, and log in here again"
    )]
    InUse { owner: u32 },
    #[error("your home directory is being handed over to your account in this image: log in again to go on")]
    Unfinished,
    #[error("your home directory cannot be prepared: {0}")]
    System(#[from] Errno),
}

/// The home of the container's user.
#[derive(Debug, Default)]
pub(super) struct Persistent {
    directory: OnceCell<OwnedFd>,
    /// Whether no other guest has it.
    sole: Cell<bool>,
    /// Once it is the user's there is nothing more to see to.
    done: Cell<bool>,
}

impl Persistent {
    /// Opens and locks the home at `path`.
    pub(super) fn claim(&self, path: &Path) -> Result<(), HomeError> {
        if self.done.get() {
            return Ok(());
        }
        let directory = if let Some(directory) = self.directory.get() {
            directory
        } else {
            let opened = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
            self.directory.get_or_init(|| opened)
        };
        self.sole.set(lock(directory));
        Ok(())
    }

    /// The uid that the home belongs to; `None` while it is still as the broker made it, or out of reach.
    pub(super) fn owner(&self, root: &Path) -> Option<u32> {
        let stat = rustix::fs::fstat(self.directory.get()?).ok()?;
        (!is_fresh(root, &stat)).then_some(stat.st_uid)
    }

    /// Makes a claimed home the user's: fills it if it is new or empty, and hands it over if it has another owner.
    /// Whether it was filled.
    pub(super) fn prepare(&self, root: &Path, owner: Owner) -> Result<bool, HomeError> {
        let Some(directory) = self.directory.get().filter(|_| !self.done.get()) else { return Ok(false) };
        let result = if self.sole.get() { take(root, directory, owner) } else { check(directory, owner) };
        self.done.set(result.is_ok());
        // From now on it is in use. A guest that gets between finds it prepared.
        let _ = try_lock(directory, FlockOperation::NonBlockingLockShared);
        result
    }
}

/// Locks `directory`: true if no other guest has it.
fn lock(directory: &OwnedFd) -> bool {
    let end = Instant::now() + PREPARATION;
    loop {
        if try_lock(directory, FlockOperation::NonBlockingLockExclusive) {
            return true;
        }
        // In use, or about to be by a guest that is still at its first look. A process that holds it for longer is no guest.
        if try_lock(directory, FlockOperation::NonBlockingLockShared) || Instant::now() > end {
            return false;
        }
        thread::sleep(POLL);
    }
}

/// False if another process has the lock. A file system without locks has one guest at a time, for all we know.
fn try_lock(directory: &OwnedFd, operation: FlockOperation) -> bool {
    rustix::fs::flock(directory, operation) != Err(Errno::WOULDBLOCK)
}

/// Whether the home is as the broker made it: it belongs to the same uid as the directory of the guest's socket.
fn is_fresh(root: &Path, home: &Stat) -> bool {
    rustix::fs::stat(under(root, Path::new(GUEST_SOCKET_DIR))).is_ok_and(|broker| broker.st_uid == home.st_uid)
}

/// In use by others: nothing is changed.
fn check(directory: &OwnedFd, owner: Owner) -> Result<bool, HomeError> {
    match rustix::fs::fstat(directory)?.st_uid {
        uid if uid == owner.uid => Ok(false),
        uid => Err(HomeError::InUse { owner: uid }),
    }
}

fn take(root: &Path, directory: &OwnedFd, owner: Owner) -> Result<bool, HomeError> {
    let stat = rustix::fs::fstat(directory)?;
    let fresh = is_fresh(root, &stat);
    let filled = fresh || home::is_empty(directory)?;
    if filled {
        home::fill(root, directory, owner);
    }
    if stat.st_uid != owner.uid {
        // What is in a new one already is of a guest that was killed over it, as root.
        let from = if fresh { 0 } else { stat.st_uid };
        let mut hand_over = HandOver { from, owner, end: Instant::now() + HAND_OVER };
        hand_over.directory(directory, 0)?;
        // Last, so that what is unfinished goes on at the next login.
        let (uid, gid) = owner.ids();
        rustix::fs::fchown(directory, uid, gid)?;
    }
    Ok(filled)
}

/// Gives everything of one user to another, as far as the time goes. What others own stays theirs.
struct HandOver {
    from: u32,
    owner: Owner,
    end: Instant,
}

impl HandOver {
    fn directory(&mut self, directory: &OwnedFd, depth: usize) -> Result<(), HomeError> {
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if Instant::now() > self.end {
                return Err(HomeError::Unfinished);
            }
            match self.entry(directory, name, depth) {
                // What is gone, or cannot be given away, is not worth the login.
                Err(HomeError::System(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn entry(&mut self, directory: &OwnedFd, name: &CStr, depth: usize) -> Result<(), HomeError> {
        // Looked at and changed through one descriptor: what the name means may change meanwhile.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(directory, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&found)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && depth < MAX_DEPTH {
            let inner = rustix::fs::openat(&found, c".", DIRECTORY, Mode::empty())?;
            self.directory(&inner, depth + 1)?;
        }
        if stat.st_uid == self.from {
            let (uid, gid) = self.owner.ids();
            rustix::fs::chownat(&found, c"", uid, gid, AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
