//! The connection to the broker: lost at any time, back as soon as there is a broker.
//!
//! Channels do not need it. What could not be sent while it was away is in the next greeting, which lists the
//! channels that are open. Until the greeting is answered, with the version that the broker speaks, all else waits.

use super::packets::{self, Incoming};
use crate::{
    domain::ChannelId,
    protocol::{
        guest::{FromBroker, FromGuest, PROTOCOL},
        packet,
    },
    sys::seqpacket,
};
use rustix::{
    fs::inotify,
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    collections::VecDeque,
    os::fd::AsFd,
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often a connection is tried while the directory is watched, and while it cannot be (a host has
/// `fs.inotify.max_user_instances` watches, 128 by default, for all containers together).
const RETRY: Duration = Duration::from_secs(1);
const RETRY_UNWATCHED: Duration = Duration::from_millis(80);
/// Pause after a connection that ended before the broker's answer, and after one that spoke nonsense.
const PAUSE_UNANSWERED: Duration = Duration::from_millis(50);
const PAUSE_MALFORMED: Duration = Duration::from_secs(1);
/// Most packets that wait for a broker that does not read. Then the connection is given up: the next greeting says
/// the same in one packet.
const MAX_QUEUE: usize = 1024;

/// The guest's side of the connection.
#[derive(Debug)]
pub(super) struct Broker {
    socket_path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Connected {
        socket: OwnedFd,
        queue: VecDeque<Vec<u8>>,
        /// The version that both speak, once the broker has answered.
        protocol: Option<u32>,
    },
    /// `watch` is readable when something is moved into the socket's directory.
    Away { watch: Option<OwnedFd>, next_try: Instant, not_before: Instant },
}

impl Broker {
    pub(super) fn new(socket_path: PathBuf) -> Self {
        let mut broker = Self {
            socket_path,
            state: State::Away { watch: None, next_try: Instant::now(), not_before: Instant::now() },
        };
        broker.lose(Duration::ZERO);
        broker
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected { .. })
    }

    /// What to poll: the connection, or the watch for one.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Connected { socket, .. } => Some(socket.as_fd()),
            State::Away { watch, .. } => watch.as_ref().map(AsFd::as_fd),
        }
    }

    pub(super) fn wants_to_send(&self) -> bool {
        matches!(&self.state, State::Connected { queue, protocol: Some(_), .. } if !queue.is_empty())
    }

    /// When [`Self::connect`] is due although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Connected { .. } => None,
            State::Away { next_try, not_before, .. } => Some((*next_try).max(*not_before)),
        }
    }

    /// Gives the connection up and prepares for the next one, not sooner than after `pause`.
    fn lose(&mut self, pause: Duration) {
        let now = Instant::now();
        // The watch comes before the attempt: what appears between the two is seen by the watch.
        self.state = State::Away { watch: self.watch().ok(), next_try: now, not_before: now + pause };
    }

    fn watch(&self) -> Result<OwnedFd, Errno> {
        let directory = self.socket_path.parent().ok_or(Errno::INVAL)?;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&watch, directory, inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::CREATE)?;
        Ok(watch)
    }

    /// Empties the watch; something happened in the directory, so a connection is due.
    pub(super) fn noticed(&mut self) {
        if let State::Away { watch: Some(watch), next_try, .. } = &mut self.state {
            let mut events = [0u8; 1024];
            // Bounded: a flood of files in the directory gets one attempt for many events.
            for _ in 0..packets::MAX_AT_ONCE {
                if rustix::io::read(&*watch, &mut events).is_err() {
                    break;
                }
            }
            *next_try = Instant::now();
        }
    }

    /// Connects if that is due, and greets with the channels that are `live`.
    pub(super) fn connect(&mut self, live: impl FnOnce() -> Vec<ChannelId>) {
        let now = Instant::now();
        match &mut self.state {
            State::Away { watch, next_try, not_before } if *next_try <= now && *not_before <= now => {
                *next_try = now + if watch.is_some() { RETRY } else { RETRY_UNWATCHED };
            }
            _ => return,
        }
        let Ok(socket) = self.try_connect() else { return };
        let release = env!("CARGO_PKG_VERSION").to_owned();
        let hello = FromGuest::Hello { protocol: PROTOCOL, release, channels: live() };
        if packets::send(&socket, &hello, &[]).is_err() {
            return self.lose(PAUSE_UNANSWERED);
        }
        self.state = State::Connected { socket, queue: VecDeque::new(), protocol: None };
    }

    fn try_connect(&self) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(&self.socket_path)?)?;
        Ok(socket)
    }

    /// Sends, or queues if the broker is slow. Without a connection nothing is kept, and a message that
    /// the broker does not know is not sent.
    pub(super) fn send(&mut self, message: &FromGuest) {
        let Ok(bytes) = packet::encode(message) else { return };
        if let State::Connected { queue, protocol, .. } = &mut self.state {
            if message.since() > protocol.unwrap_or(1) {
                return;
            }
            queue.push_back(bytes);
            self.flush();
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        let State::Connected { socket, queue, protocol } = &mut self.state else { return };
        if protocol.is_none() {
            if queue.len() > MAX_QUEUE {
                self.lose(PAUSE_UNANSWERED);
            }
            return;
        }
        while let Some(bytes) = queue.front() {
            match seqpacket::send(&*socket, bytes, &[]) {
                Ok(()) => drop(queue.pop_front()),
                Err(Errno::AGAIN) if queue.len() <= MAX_QUEUE => return,
                Err(_) => return self.lose(PAUSE_UNANSWERED),
            }
        }
    }

    /// The next packet of the broker; `None` when there is none now or no longer a connection.
    pub(super) fn receive(&mut self) -> Option<(FromBroker, Vec<OwnedFd>)> {
        let State::Connected { socket, protocol, .. } = &mut self.state else { return None };
        match packets::receive(&*socket) {
            Incoming::Message(FromBroker::Welcome { protocol: agreed }, fds) => {
                let agreed = agreed.clamp(1, PROTOCOL);
                *protocol = Some(agreed);
                self.flush();
                return Some((FromBroker::Welcome { protocol: agreed }, fds));
            }
            Incoming::Message(message, fds) => return Some((message, fds)),
            Incoming::Nothing | Incoming::Unknown => {}
            Incoming::Closed => {
                let pause = if protocol.is_some() { Duration::ZERO } else { PAUSE_UNANSWERED };
                self.lose(pause);
            }
            Incoming::Malformed => self.lose(PAUSE_MALFORMED),
        }
        None
    }
}
