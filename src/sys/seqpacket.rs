//! `SOCK_SEQPACKET` sockets whose packets carry file descriptors.

use crate::protocol::packet::{MAX_FDS, MAX_PACKET_BYTES};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// One received packet.
#[derive(Debug)]
pub enum Received {
    /// One packet: so many bytes at the start of the buffer, and its descriptors.
    Packet(usize, Vec<OwnedFd>),
    /// The peer has closed its end.
    Closed,
    /// A packet that was longer than the buffer or brought more descriptors than allowed; it is dropped whole.
    Oversized,
}

/// A connected pair. Both ends are close-on-exec; `flags` may add `NONBLOCK`.
pub fn pair(flags: SocketFlags) -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags | SocketFlags::CLOEXEC, None)
}

/// Sends one packet; `EAGAIN` if the socket does not block and is full.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let slices = [IoSlice::new(bytes)];
    loop {
        match sendmsg(&socket, &slices, &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Receives one packet into `buffer`, which should hold [`MAX_PACKET_BYTES`].
///
/// Descriptors arrive close-on-exec. A sender may attach more than [`MAX_FDS`]: the kernel then closes the excess
/// and the packet counts as oversized. `EAGAIN` if the socket does not block and is empty.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    debug_assert!(buffer.len() <= MAX_PACKET_BYTES);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(Received::Closed),
            result => break result?,
        }
    };
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            fds.extend(received);
        }
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Ok(Received::Oversized);
    }
    // No message of ours is empty, so an empty read is the end.
    if message.bytes == 0 { Ok(Received::Closed) } else { Ok(Received::Packet(message.bytes, fds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_ride_with_their_packet() {
        let (a, b) = pair(SocketFlags::empty()).unwrap();
        let (pipe_read, pipe_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        send(&a, b"one", &[pipe_write.as_fd()]).unwrap();
        send(&a, b"two", &[]).unwrap();
        let mut buffer = [0; 64];
        let Received::Packet(3, mut fds) = receive(&b, &mut buffer).unwrap() else { panic!("no packet") };
        rustix::io::write(fds.pop().unwrap(), b"x").unwrap();
        let mut byte = [0];
        assert_eq!(rustix::io::read(&pipe_read, &mut byte).unwrap(), 1);
        assert!(matches!(receive(&b, &mut buffer).unwrap(), Received::Packet(3, fds) if fds.is_empty()));
        drop(a);
        assert!(matches!(receive(&b, &mut buffer).unwrap(), Received::Closed));
    }

    #[test]
    fn a_flood_of_descriptors_is_dropped_and_closed() {
        let (a, b) = pair(SocketFlags::empty()).unwrap();
        let fds: Vec<_> =
            (0..MAX_FDS + 9).map(|_| rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap().0).collect();
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 9))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
        sendmsg(&a, &[IoSlice::new(b"flood")], &mut control, SendFlags::empty()).unwrap();
        assert!(matches!(receive(&b, &mut [0; 64]).unwrap(), Received::Oversized));
    }

    #[test]
    fn a_packet_longer_than_the_buffer_is_dropped() {
        let (a, b) = pair(SocketFlags::empty()).unwrap();
        send(&a, &[1; 100], &[]).unwrap();
        assert!(matches!(receive(&b, &mut [0; 64]).unwrap(), Received::Oversized));
    }
}
