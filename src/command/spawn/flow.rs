//! One direction of bytes between two descriptors, without blocking on either.

use rustix::{
    event::PollFlags,
    io::{Errno, read, write},
    net::{RecvFlags, SendFlags, recv, send},
};
use std::os::fd::BorrowedFd;

/// Bytes held between reading and writing. A terminal's kernel buffer is 4 KiB, an agent's answer a few hundred bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// The state of a direction after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Turn {
    /// More may come.
    Open,
    /// The source has ended and all bytes are written, or the sink has closed.
    Done,
}

/// How bytes are read and written without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Descriptors that do not block. The guest, who has the other copies, can make them block again; then the process
    /// is stuck until it is hung up, which ends it.
    Terminals,
    /// Sockets, which need not be trusted with that.
    Sockets,
}

/// A bounded buffer between a source and a sink.
pub(super) struct Flow {
    between: Between,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    ended: bool,
}

impl Flow {
    pub(super) fn new(between: Between) -> Self {
        Self { between, buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0, ended: false }
    }

    /// The events to wait for on the source: none while bytes are unwritten.
    pub(super) fn source_interest(&self) -> PollFlags {
        if self.start == self.end && !self.ended { PollFlags::IN } else { PollFlags::empty() }
    }

    /// The events to wait for on the sink.
    pub(super) fn sink_interest(&self) -> PollFlags {
        if self.start < self.end { PollFlags::OUT } else { PollFlags::empty() }
    }

    /// Reads and writes as far as neither blocks, once around.
    pub(super) fn turn(&mut self, source: BorrowedFd<'_>, sink: BorrowedFd<'_>) -> Turn {
        if self.start == self.end && !self.ended {
            let received = match self.between {
                Between::Terminals => read(source, &mut self.buffer[..]),
                Between::Sockets => recv(source, &mut self.buffer[..], RecvFlags::DONTWAIT).map(|(bytes, _)| bytes),
            };
            match received {
                Ok(0) => self.ended = true,
                Ok(bytes) => (self.start, self.end) = (0, bytes),
                Err(Errno::AGAIN | Errno::INTR) => {}
                // A terminal whose other side is closed reports EIO.
                Err(_) => self.ended = true,
            }
        }
        while self.start < self.end {
            let rest = &self.buffer[self.start..self.end];
            let sent = match self.between {
                Between::Terminals => write(sink, rest),
                Between::Sockets => send(sink, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            };
            match sent {
                Ok(bytes) => self.start += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Turn::Open,
                Err(_) => return Turn::Done,
            }
        }
        if self.ended { Turn::Done } else { Turn::Open }
    }

    /// The bytes that are not written yet.
    pub(super) fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Adds `bytes` behind those that are not written yet, if they fit.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if let Some(room) = self.buffer.get_mut(self.end..self.end + bytes.len()) {
            room.copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::os::fd::{AsFd, OwnedFd};

    #[test]
    fn bytes_survive_a_sink_that_is_full() {
        let (source, feed) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let (drain, sink) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let mut flow = Flow::new(Between::Terminals);
        let (mut sent, mut received) = (0usize, Vec::new());
        let pattern = |n: usize| u8::try_from(n % 251).unwrap();
        while received.len() < 1_000_000 {
            let chunk: Vec<u8> = (sent..(sent + 8000).min(1_000_000)).map(pattern).collect();
            if !chunk.is_empty()
                && let Ok(bytes) = write(&feed, &chunk)
            {
                sent += bytes;
            }
            assert_eq!(flow.turn(source.as_fd(), sink.as_fd()), Turn::Open);
            let mut buffer = [0; 3000];
            if let Ok(bytes) = read(&drain, &mut buffer) {
                received.extend_from_slice(&buffer[..bytes]);
            }
        }
        assert!(received.iter().enumerate().all(|(n, byte)| *byte == pattern(n)));
        drop(feed);
        until_done(&mut flow, &source, &sink, || {});
    }

    #[test]
    fn appended_bytes_follow_unwritten_ones_and_are_dropped_whole_if_they_do_not_fit() {
        let (source, feed) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let (drain, sink) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let mut flow = Flow::new(Between::Terminals);
        flow.append(b"first ");
        flow.append(&vec![b'x'; BUFFER_BYTES]);
        flow.append(b"second ");
        assert_eq!(flow.pending(), b"first second ");
        write(&feed, b"third").unwrap();
        assert_eq!(flow.turn(source.as_fd(), sink.as_fd()), Turn::Open);
        assert_eq!(flow.turn(source.as_fd(), sink.as_fd()), Turn::Open);
        let mut buffer = [0; 64];
        let bytes = read(&drain, &mut buffer).unwrap();
        assert_eq!(&buffer[..bytes], b"first second third");
    }

    #[test]
    fn a_socket_that_was_made_to_block_is_not_waited_for() {
        let (source, _feed) = std::os::unix::net::UnixStream::pair().unwrap();
        let (sink, _drain) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(Flow::new(Between::Sockets).turn(source.as_fd(), sink.as_fd()), Turn::Open);
    }

    #[test]
    fn a_sink_without_reader_ends_the_flow() {
        let (source, feed) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let (drain, sink) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        drop(drain);
        until_done(&mut Flow::new(Between::Terminals), &source, &sink, || {
            let _ = write(&feed, b"x");
        });
    }

    /// A child that another test is just starting has a copy of the pipes until it is another program.
    fn until_done(flow: &mut Flow, source: &OwnedFd, sink: &OwnedFd, feed: impl Fn()) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        feed();
        while flow.turn(source.as_fd(), sink.as_fd()) != Turn::Done {
            assert!(std::time::Instant::now() < end, "the flow does not end");
            std::thread::yield_now();
            feed();
        }
    }
}
