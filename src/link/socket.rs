//! The listening socket and its connections, on tokio.

use super::error::LinkError;
use crate::{
    protocol::{
        guest::{FromBroker, FromGuest, GUEST_SOCKET_NAME, PROTOCOL},
        packet::{MAX_PACKET_BYTES, PacketError, decode, encode},
    },
    sys::{
        passing::refuse_descriptors,
        readiness::watch,
        seqpacket::{self, Received},
    },
};
use rustix::{
    fs::{Mode, chmod},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
        sockopt::socket_peercred,
    },
};
use std::{
    cell::{Cell, RefCell},
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
};
use tokio::io::unix::AsyncFd;

/// Connections that may wait to be accepted. A container has one guest; the rest is a flood.
const BACKLOG: i32 = 16;

/// Largest packet that a guest sends: a greeting with all its channels.
const GUEST_PACKET_BYTES: usize = 8 * 1024;

pub(super) struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// Makes `directory` with the socket in it. An old socket is replaced by one with the same mode; a new one is for
    /// its owner, and for container roots that may override that.
    pub(super) fn bind(directory: &Path) -> io::Result<Self> {
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // The directory above keeps all users of this host out; the container's root may be any uid.
        chmod(directory, Mode::from_raw_mode(0o755))?;
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        // Moved into place when it listens: a guest that watches the directory connects at the first try.
        let fresh = directory.join("new.sock");
        let _ = fs::remove_file(&fresh);
        bind(&socket, &SocketAddrUnix::new(&fresh)?)?;
        let name = directory.join(GUEST_SOCKET_NAME);
        let mode = fs::symlink_metadata(&name).map_or(0o600, |old| old.permissions().mode() & 0o666);
        chmod(&fresh, Mode::from_raw_mode(mode))?;
        refuse_descriptors(&socket)?;
        listen(&socket, BACKLOG)?;
        fs::rename(&fresh, name)?;
        Ok(Self(watch(socket)?))
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Connection> {
        loop {
            let mut ready = self.0.readable().await?;
            let accepted =
                ready.try_io(|listener| Ok(accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?));
            match accepted {
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Ok(result) => return Connection::new(result?),
                Err(_would_block) => {}
            }
        }
    }
}

pub(super) struct Connection {
    socket: AsyncFd<OwnedFd>,
    pid: i32,
    /// The version that was agreed upon; the first until then.
    protocol: Cell<u32>,
    buffer: RefCell<Vec<u8>>,
}

impl Connection {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        let pid = socket_peercred(&socket)?.pid.as_raw_nonzero().get();
        Ok(Self { socket: watch(socket)?, pid, protocol: Cell::new(1), buffer: RefCell::new(Vec::new()) })
    }

    /// The process that connected, as this host numbers it.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Answers the greeting of a guest that speaks at most `version`: the version that both speak.
    pub(super) fn agree(&self, version: u32) -> Result<u32, LinkError> {
        let protocol = version.clamp(1, PROTOCOL);
        self.protocol.set(protocol);
        self.send(&FromBroker::Welcome { protocol }, None).map(|()| protocol)
    }

    /// Whether the guest knows the packets of `version`.
    pub(super) fn speaks(&self, version: u32) -> bool {
        self.protocol.get() >= version
    }

    /// Sends without waiting: a guest that reads has room, and one that does not must delay no other session. A
    /// packet that the guest does not know is not sent.
    pub(super) fn send(&self, packet: &FromBroker, fd: Option<&OwnedFd>) -> Result<(), LinkError> {
        if !self.speaks(packet.since()) {
            return Err(LinkError::Old);
        }
        let bytes = encode(packet)?;
        let fd = fd.map(AsFd::as_fd);
        match seqpacket::send(self.socket.get_ref(), &bytes, fd.as_slice()) {
            Ok(()) => Ok(()),
            Err(Errno::TOOMANYREFS) => Err(LinkError::InFlight),
            Err(Errno::AGAIN | Errno::NOBUFS) => Err(LinkError::Stuck),
            Err(_) => Err(LinkError::Down),
        }
    }

    /// The next packet, `None` if it is one that this version does not know; an error is the end of the connection.
    /// Cancel-safe.
    pub(super) async fn receive(&self) -> io::Result<Option<FromGuest>> {
        let bytes = self.fill(GUEST_PACKET_BYTES).await?;
        match decode(&self.buffer.borrow()[..bytes]) {
            Ok(packet) => Ok(Some(packet)),
            Err(PacketError::Unknown(_)) => Ok(None),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// The bytes of the next packet, of which there are at most so many.
    pub(super) async fn receive_bytes(&self, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.fill(most).await?;
        Ok(self.buffer.borrow()[..bytes].to_vec())
    }

    /// Reads a packet of at most so many bytes into the buffer; how many it has.
    async fn fill(&self, most: usize) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.readable().await?;
            let mut buffer = self.buffer.borrow_mut();
            buffer.resize(most.min(MAX_PACKET_BYTES), 0);
            match ready.try_io(|socket| Ok(seqpacket::receive(socket, &mut buffer)?)) {
                Ok(Ok(Received::Packet(bytes, fds))) if fds.is_empty() => return Ok(bytes),
                Ok(Ok(Received::Closed)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // A guest has no reason to send descriptors here.
                Ok(Ok(_)) => return Err(io::ErrorKind::InvalidData.into()),
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}
