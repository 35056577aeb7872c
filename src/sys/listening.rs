//! Whether a process listens on a Unix socket, without connecting to it.

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use std::{io, path::Path};

/// Whether a stream socket is bound to `path`. The listener does not notice: a service that its socket starts is not started.
///
/// The kernel looks for the socket before it compares the types, so a datagram socket gets one error for a stream socket and
/// another for none.
pub fn is_bound(path: &Path) -> io::Result<bool> {
    let question = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    match connect(&question, &SocketAddrUnix::new(path)?) {
        Err(Errno::PROTOTYPE) => Ok(true),
        // No stream socket.
        Ok(()) | Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_listener_is_seen_and_hears_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert!(!is_bound(&path).unwrap());
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(is_bound(&path).unwrap());
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(listener);
        assert!(path.exists() && !is_bound(&path).unwrap());
    }
}
