//! A Varlink stream whose messages are bounded.
//!
//! zlink itself reads messages of up to 100 MiB, and keeps whatever descriptors come with the bytes of a message that
//! never ends; a user must not make the broker hold either.

use crate::protocol::varlink::MAX_MESSAGE_BYTES;
use std::os::fd::{AsFd, BorrowedFd};
use zlink::{
    connection::socket::{ReadHalf, ReadResult, Socket, UnixSocket},
    tokio::unix::Stream,
};

/// One accepted connection.
#[derive(Debug)]
pub(super) struct Capped(pub(super) Stream);

impl Socket for Capped {
    type ReadHalf = CappedRead;
    type WriteHalf = <Stream as Socket>::WriteHalf;

    const CAN_TRANSFER_FDS: bool = true;

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        let (read, write) = self.0.split();
        (CappedRead { read, unfinished: 0 }, write)
    }
}

impl UnixSocket for Capped {}

impl AsFd for Capped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Its reading half, which fails once a message is longer than [`MAX_MESSAGE_BYTES`] or brings a descriptor.
#[derive(Debug)]
pub(super) struct CappedRead {
    read: <Stream as Socket>::ReadHalf,
    /// Bytes since the last NUL, which ends a message.
    unfinished: usize,
}

impl UnixSocket for CappedRead {}

impl AsFd for CappedRead {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

impl ReadHalf for CappedRead {
    async fn read(&mut self, buffer: &mut [u8]) -> zlink::Result<ReadResult> {
        let result = self.read.read(buffer).await?;
        // No method takes any. Where the kernel can it refuses them before they get here (`refuse_descriptors`).
        if !result.fds().is_empty() {
            return Err(zlink::Error::BufferOverflow);
        }
        let bytes = &buffer[..result.bytes_read()];
        self.unfinished = match bytes.iter().rposition(|byte| *byte == 0) {
            Some(end) => bytes.len() - end - 1,
            None => self.unfinished + bytes.len(),
        };
        if self.unfinished > MAX_MESSAGE_BYTES { Err(zlink::Error::BufferOverflow) } else { Ok(result) }
    }
}
