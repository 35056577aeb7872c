//! The SSH agent's socket of one channel: a process that connects to it inside talks to the client's agent.

use super::{files::under, identity::as_user, login::Account};
use crate::{domain::text::hex, sys::random};
use rustix::{
    fs::Mode,
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Where a directory for the socket may be made; the first that the user may write to.
const PLACES: [&str; 3] = ["/tmp", "/run", "/dev/shm"];
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 32;

/// A listening socket in a directory of the user's own; both go when it is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    listener: OwnedFd,
    /// The container's path, for `SSH_AUTH_SOCK`.
    pub(super) path: PathBuf,
    /// The same as the guest sees it.
    real: PathBuf,
    uid: u32,
}

impl Agent {
    /// Listens for the processes of `account`; `None` where no place is found, as a login without an agent is better
    /// than none.
    pub(super) fn listen(root: &Path, account: &Account, number: u64) -> Option<Self> {
        // Everything is made by the user, so nothing changes its owner, and no link of another user leads anywhere.
        as_user(account.uid, || PLACES.iter().find_map(|place| Self::listen_in(root, place, account.uid, number)))
    }

    fn listen_in(root: &Path, place: &str, uid: u32, number: u64) -> Option<Self> {
        let directory = Path::new(place).join(format!("podspawn-{}", hex(&random::bytes::<4>().ok()?)));
        let path = directory.join(format!("agent.{number}"));
        let real = under(root, &path);
        rustix::fs::mkdir(real.parent()?, Mode::RWXU).ok()?;
        let listener = bind(&real);
        if listener.is_err() {
            remove(&real);
        }
        Some(Self { listener: listener.ok()?, path, real, uid })
    }

    /// The next connection; `EAGAIN` when none waits.
    pub(super) fn accept(&self) -> Result<OwnedFd, Errno> {
        rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC)
    }
}

fn bind(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&listener, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

fn remove(path: &Path) {
    let _ = rustix::fs::unlink(path);
    if let Some(directory) = path.parent() {
        let _ = rustix::fs::rmdir(directory);
    }
}

impl AsFd for Agent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        as_user(self.uid, || remove(&self.real));
    }
}
