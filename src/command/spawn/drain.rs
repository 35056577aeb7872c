//! Draining a terminal: the output that its process wrote before it ended reaches sshd, however slowly the client reads.
//!
//! A plain sshd keeps those bytes until the client reads them or the connection breaks, and so does this. Meanwhile only
//! this process and sshd's wait: the container's terminal is closed first, and the guest no longer counts the channel.

use super::flow::Flow;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio, read, write},
    stdio,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes that are taken from the container's terminal after the end. Linux holds about 12 KiB between the two sides
/// (a line discipline's 4 KiB and 8 KiB before it); a background process that goes on writing does not keep
/// the connection open.
const MAX_BYTES: usize = 64 * 1024;

/// Writes the remaining output to sshd's terminal, and waits until it is written or sshd has closed. The terminal blocks
/// afterwards, as it did before the session.
pub(super) fn finish(display: &Flow, master: Option<OwnedFd>) {
    let mut remaining = display.pending().to_vec();
    if let Some(master) = master {
        remaining.extend(take(&master));
    }
    let _ = ioctl_fionbio(stdio::stdout(), false);
    write_all(stdio::stdout(), &remaining);
}

/// The bytes that the terminal holds at this moment.
fn take(master: &OwnedFd) -> Vec<u8> {
    let (mut taken, mut buffer) = (Vec::new(), [0; 4096]);
    while taken.len() < MAX_BYTES {
        // Polled first, since the guest can make the descriptor block.
        let mut entry = [PollFd::from_borrowed_fd(master.as_fd(), PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut entry, Some(&at_once)) {
            Ok(1) if entry[0].revents().contains(PollFlags::IN) => {}
            Err(Errno::INTR) => continue,
            _ => break,
        }
        match read(master, &mut buffer) {
            Ok(0) => break,
            Ok(bytes) => taken.extend_from_slice(&buffer[..bytes]),
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    taken
}

fn write_all(sink: BorrowedFd<'_>, mut remaining: &[u8]) {
    while !remaining.is_empty() {
        match write(sink, remaining) {
            Ok(bytes) => remaining = &remaining[bytes..],
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pty;

    #[test]
    fn all_output_from_before_the_end_is_taken() {
        let pty::Pty { master, slave, .. } = pty::open().unwrap();
        ioctl_fionbio(&slave, true).unwrap();
        let mut written = 0;
        while let Ok(bytes @ 1..) = write(&slave, &[b'x'; 1000]) {
            written += bytes;
        }
        assert!(written > 4096, "{written}");
        drop(slave);
        assert_eq!(take(&master).len(), written);
    }

    #[test]
    fn a_terminal_that_is_never_silent_is_given_up() {
        let (source, feed) = std::os::unix::net::UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || while write(&feed, &[b'x'; 4096]).is_ok() {});
        let source = OwnedFd::from(source);
        // The writer never stops.
        assert!(take(&source).len() <= MAX_BYTES + 4096);
        drop(source);
        writer.join().unwrap();
    }
}
