//! Passing descriptors: refusing those of peers, and why one's own are refused.

use rustix::io::Errno;
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// `SO_PASSRIGHTS` of Linux 6.16 (include/uapi/asm-generic/socket.h), which libc does not name yet.
const SO_PASSRIGHTS: libc::c_int = 83;

/// The message for a user when descriptors cannot be sent.
#[must_use]
pub fn in_words(error: Errno) -> String {
    if error == Errno::TOOMANYREFS {
        "too many file descriptors are being sent on this server; try again in a moment".to_owned()
    } else {
        io::Error::from(error).to_string()
    }
}

/// Makes the kernel refuse descriptors that peers send to this socket or, of a listening one, to its connections.
///
/// Closing a received descriptor can block the thread for as long as its sender likes: a TCP socket lingers. Kernels
/// before 6.16 have no such option; there this does nothing.
pub fn refuse_descriptors(socket: impl AsFd) -> io::Result<()> {
    const SIZE: libc::socklen_t = 4;
    let off: i32 = 0;
    // SAFETY: the descriptor is open, and the option's value is an int that outlives the call.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, (&raw const off).cast(), SIZE)
    };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
        error => Err(error),
    }
}
