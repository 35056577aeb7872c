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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use serde_json::Value;
    use std::{
        io::{IoSlice, Write},
        mem::MaybeUninit,
        os::unix::net::UnixStream,
    };
    use zlink::connection::Connection;

    /// What the broker makes of what `attack` writes.
    fn received(attack: impl FnOnce(&mut UnixStream) + Send + 'static) -> zlink::Result<()> {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            attack(&mut theirs);
            theirs
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            let (mut reader, _writer) = Connection::new(Capped(Stream::try_from(ours).unwrap())).split();
            reader.receive_call::<Value>().await.map(drop)
        });
        drop(writer.join());
        result
    }

    #[test]
    fn a_message_without_end_is_not_kept() {
        let result = received(|stream| {
            let _ = stream.write_all(&vec![b'x'; 4 * MAX_MESSAGE_BYTES]);
        });
        assert!(matches!(result, Err(zlink::Error::BufferOverflow)), "{result:?}");
        assert!(received(|stream| stream.write_all(b"{\"method\":\"a.b.C\"}\0").unwrap()).is_ok());
    }

    #[test]
    fn descriptors_of_a_message_without_end_do_not_pile_up() {
        let result = received(|stream| {
            let fds = [rustix::stdio::stdin()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
            sendmsg(&*stream, &[IoSlice::new(b"{")], &mut control, SendFlags::empty()).unwrap();
        });
        assert!(matches!(result, Err(zlink::Error::BufferOverflow)), "{result:?}");
    }
}
