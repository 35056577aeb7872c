//! Descriptors that a tokio runtime waits for.

use std::{io, os::fd::OwnedFd};
use tokio::io::unix::AsyncFd;

/// Registers `fd`, which must not block, with the runtime.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and stays the same descriptor until it is dropped, and the AsyncFd owns it.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
