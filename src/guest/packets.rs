//! Receiving and sending packets without waiting and without a standing buffer.

use crate::{
    protocol::packet::{self, MAX_PACKET_BYTES, PacketError, Versioned},
    sys::seqpacket::{self, Received},
};
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, Shutdown, SocketType},
};
use serde::Serialize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most packets taken from one socket before the others get their turn.
pub(super) const MAX_AT_ONCE: usize = 16;

/// What one look at a socket found.
pub(super) enum Incoming<T> {
    Message(T, Vec<OwnedFd>),
    /// Something that a later version says; it is passed over.
    Unknown,
    /// Nothing now.
    Nothing,
    /// The peer is gone.
    Closed,
    /// The peer said something that means nothing; it is not to be listened to any more.
    Malformed,
}

/// Takes one packet. Its length is asked first, so that memory is held only while there is a packet.
pub(super) fn receive<T: Versioned>(socket: impl AsFd) -> Incoming<T> {
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT;
    let length = match rustix::net::recv(&socket, &mut [0u8; 0][..], flags) {
        Ok((_, length)) => length,
        Err(Errno::AGAIN | Errno::INTR) => return Incoming::Nothing,
        Err(_) => return Incoming::Closed,
    };
    // One byte where the peek found none: to the end of file a read must still come.
    let mut buffer = vec![0; length.clamp(1, MAX_PACKET_BYTES)];
    match seqpacket::receive(&socket, &mut buffer) {
        Ok(Received::Packet(length, fds)) => match buffer.get(..length).map(packet::decode) {
            Some(Ok(message)) => Incoming::Message(message, fds),
            Some(Err(PacketError::Unknown(_))) => Incoming::Unknown,
            _ => Incoming::Malformed,
        },
        Ok(Received::Oversized) => Incoming::Malformed,
        Err(Errno::AGAIN | Errno::INTR) => Incoming::Nothing,
        Ok(Received::Closed) | Err(_) => Incoming::Closed,
    }
}

/// Sends one packet; `EAGAIN` if there is no room.
pub(super) fn send<T: Serialize>(socket: impl AsFd, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let bytes = packet::encode(message).map_err(|_| Errno::MSGSIZE)?;
    seqpacket::send(socket, &bytes, fds)
}

/// Whether `fd` is what a channel's socket must be.
pub(super) fn is_channel(fd: impl AsFd) -> bool {
    rustix::net::sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET)
        && rustix::net::sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
}

/// Bytes that the peer has not yet read.
pub(super) fn unread_by_peer(socket: impl AsFd) -> usize {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, which lives until the call returns.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Closes a socket such that the peer reads what was sent before. A socket that is closed with unread packets resets
/// its peer, so no more are let in and those that are there are taken out.
pub(super) fn close(socket: OwnedFd) {
    let _ = rustix::net::shutdown(&socket, Shutdown::Read);
    // Each read takes a packet and closes its descriptors; what a sender can have queued is far below this.
    for _ in 0..4096 {
        match seqpacket::receive(&socket, &mut [0; 1]) {
            Ok(Received::Packet(..) | Received::Oversized) => {}
            Ok(Received::Closed) | Err(_) => break,
        }
    }
    drop(socket);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::guest::{FromSpawn, ToSpawn};
    use rustix::net::SocketFlags;

    #[test]
    fn the_last_word_arrives_although_packets_were_left_unread() {
        let (guest, spawn) = seqpacket::pair(SocketFlags::NONBLOCK).unwrap();
        send(&spawn, &FromSpawn::Signal(1), &[]).unwrap();
        send(&guest, &ToSpawn::Started, &[]).unwrap();
        close(guest);
        assert!(matches!(receive(&spawn), Incoming::Message(ToSpawn::Started, _)));
        assert!(matches!(receive::<ToSpawn>(&spawn), Incoming::Closed));
    }

    #[test]
    fn garbage_silence_and_the_end_differ() {
        let (a, b) = seqpacket::pair(SocketFlags::NONBLOCK).unwrap();
        assert!(matches!(receive::<FromSpawn>(&a), Incoming::Nothing));
        seqpacket::send(&b, &[0xff; 1000], &[]).unwrap();
        assert!(matches!(receive::<FromSpawn>(&a), Incoming::Malformed));
        drop(b);
        assert!(matches!(receive::<FromSpawn>(&a), Incoming::Closed));
    }

    #[test]
    fn only_a_unix_packet_socket_is_a_channel() {
        let (a, _b) = seqpacket::pair(SocketFlags::empty()).unwrap();
        assert!(is_channel(&a));
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!is_channel(&stream));
        assert!(!is_channel(std::fs::File::open("/dev/null").unwrap()));
    }
}
