//! The relay between processes in the container and the client's SSH agent.
//!
//! The guest passes out each connection that it accepted inside; here it is joined with a connection to sshd's
//! agent socket. The guest is not trusted: it may send any descriptor, any number of times.

use super::flow::{Between, Flow, Turn};
use rustix::{
    event::{PollFd, PollFlags},
    net::{
        AddressFamily, Shutdown, SocketType, shutdown,
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
    /// The client has closed its half, and the agent's connection is closed for writing.
    asked: bool,
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
        self.relays.push(Relay { inside: inside.into(), agent, ask, answer, asked: false });
    }

    /// Two entries per relay, in order.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.relays.iter().flat_map(|relay| {
            let inside = relay.ask.source_interest() | relay.answer.sink_interest();
            let agent = relay.answer.source_interest() | relay.ask.sink_interest();
            [
                PollFd::from_borrowed_fd(relay.inside.as_fd(), inside),
                PollFd::from_borrowed_fd(relay.agent.as_fd(), agent),
            ]
        })
    }

    /// Copies bytes on the relays that are ready; `ready` are the results for [`Self::interests`].
    pub(super) fn turn(&mut self, ready: &[PollFlags]) {
        let mut ready = ready.chunks_exact(2);
        self.relays.retain_mut(|relay| {
            let Some(&[inside, agent]) = ready.next() else { return true };
            if (inside | agent).is_empty() {
                return true;
            }
            if relay.ask.turn(relay.inside.as_fd(), relay.agent.as_fd()) == Turn::Done && !relay.asked {
                // A client that has closed its half may still wait for an answer.
                relay.asked = true;
                let _ = shutdown(&relay.agent, Shutdown::Write);
            }
            let client_is_gone = relay.asked && inside.contains(PollFlags::HUP);
            relay.answer.turn(relay.agent.as_fd(), relay.inside.as_fd()) == Turn::Open && !client_is_gone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{Timespec, poll};
    use std::{
        io::{Read, Write},
        net::Shutdown as Half,
        os::unix::net::UnixListener,
    };

    /// Waits once and copies the bytes that are ready.
    fn turn(agents: &mut Agents) {
        let mut entries: Vec<_> = agents.interests().collect();
        poll(&mut entries, Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 })).unwrap();
        let ready: Vec<_> = entries.iter().map(PollFd::revents).collect();
        agents.turn(&ready);
    }

    /// A relay, its end inside and its end at the agent.
    fn relay() -> (Agents, UnixStream, UnixStream) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent");
        let listener = UnixListener::bind(&path).unwrap();
        let (asking, inside) = UnixStream::pair().unwrap();
        let mut agents = Agents::new(Some(path));
        agents.accept(inside.into());
        (agents, asking, listener.accept().unwrap().0)
    }

    #[test]
    fn a_client_that_closes_its_half_still_gets_its_answer() {
        let (mut agents, mut asking, mut agent) = relay();
        asking.write_all(b"question").unwrap();
        asking.shutdown(Half::Write).unwrap();
        turn(&mut agents);
        turn(&mut agents);
        let mut question = String::new();
        agent.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question", "the agent sees that nothing more is asked");
        agent.write_all(b"answer").unwrap();
        drop(agent);
        while !agents.relays.is_empty() {
            turn(&mut agents);
        }
        let mut answer = String::new();
        asking.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    #[test]
    fn a_relay_ends_with_its_client_although_the_agent_stays() {
        let (mut agents, asking, _agent) = relay();
        drop(asking);
        for _ in 0..3 {
            turn(&mut agents);
        }
        assert!(agents.relays.is_empty());
    }
}
