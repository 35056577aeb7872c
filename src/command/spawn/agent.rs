//! The relay between processes in the container and the client's SSH agent.
//!
//! The guest passes out each connection that it accepted inside; here it is joined with a connection to sshd's
//! agent socket. The guest is not trusted: it may send anything as a descriptor, any number of times.

use super::flow::{Between, Flow, Turn};
use rustix::{
    event::{PollFd, PollFlags},
    net::{
        AddressFamily, SocketType,
        sockopt::{socket_domain, socket_type},
    },
};
use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
};

/// Most relayed connections at once; sshd's own bound for a client that forwards is ten sessions, each of which
/// rarely asks the agent twice at once.
const MAX_RELAYS: usize = 16;

struct Relay {
    inside: UnixStream,
    agent: UnixStream,
    ask: Flow,
    answer: Flow,
}

pub(super) struct Agents {
    socket: Option<PathBuf>,
    relays: Vec<Relay>,
}

impl Agents {
    pub(super) fn new(socket: Option<PathBuf>) -> Self {
        Self { socket, relays: Vec::new() }
    }

    pub(super) fn is_forwarded(&self) -> bool {
        self.socket.is_some()
    }

    /// Joins a connection that the guest accepted; drops it if it is no Unix stream socket or too many are open.
    pub(super) fn accept(&mut self, inside: OwnedFd) {
        let Some(path) = &self.socket else { return };
        let is_stream = socket_type(&inside) == Ok(SocketType::STREAM);
        if self.relays.len() >= MAX_RELAYS || !is_stream || socket_domain(&inside) != Ok(AddressFamily::UNIX) {
            return;
        }
        let Ok(agent) = UnixStream::connect(path) else { return };
        let [ask, answer] = [(); 2].map(|()| Flow::new(Between::Sockets));
        self.relays.push(Relay { inside: inside.into(), agent, ask, answer });
    }

    /// Adds two entries per relay, in order.
    pub(super) fn interests<'a>(&'a self, entries: &mut Vec<PollFd<'a>>) {
        for relay in &self.relays {
            let inside = relay.ask.source_interest() | relay.answer.sink_interest();
            let agent = relay.answer.source_interest() | relay.ask.sink_interest();
            entries.push(PollFd::from_borrowed_fd(relay.inside.as_fd(), inside));
            entries.push(PollFd::from_borrowed_fd(relay.agent.as_fd(), agent));
        }
    }

    /// Moves bytes on the relays that have something to do; `ready` are the results for [`Self::interests`].
    pub(super) fn turn(&mut self, ready: &[PollFlags]) {
        let mut ready = ready.chunks(2).map(|pair| pair.iter().any(|flags| !flags.is_empty()));
        self.relays.retain_mut(|relay| {
            if ready.next() != Some(true) {
                return true;
            }
            let ask = relay.ask.turn(relay.inside.as_fd(), relay.agent.as_fd());
            let answer = relay.answer.turn(relay.agent.as_fd(), relay.inside.as_fd());
            // Either side's end ends both: the agent protocol has no half-closed state.
            ask == Turn::Open && answer == Turn::Open
        });
    }
}
