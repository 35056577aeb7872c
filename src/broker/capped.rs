//! A Varlink stream whose messages are bounded before they are parsed: in bytes, in parts, in depth, and per second.
//!
//! zlink itself reads messages of up to 100 MiB, and keeps whatever descriptors come with the bytes of a message that
//! never ends; a user must not make the broker hold either. Nor may a user spend the broker's time with values that no
//! method has: 256 KiB of `[0,0,…]` are 130,000 values.

use super::peers::Share;
use crate::protocol::varlink::MAX_MESSAGE_BYTES;
use std::os::fd::{AsFd, BorrowedFd};
use zlink::{
    connection::socket::{ReadHalf, ReadResult, Socket, UnixSocket},
    tokio::unix::Stream,
};

/// Most objects, arrays and members of one message. The largest is a call of Attach with some hundred variables.
const MAX_PARTS: u32 = 4096;
/// Deepest nesting: the variables of Attach are 3 deep.
const MAX_DEPTH: u32 = 16;

/// One accepted connection.
#[derive(Debug)]
pub(super) struct Capped {
    stream: Stream,
    share: Share,
}

impl Capped {
    pub(super) const fn new(stream: Stream, share: Share) -> Self {
        Self { stream, share }
    }
}

impl Socket for Capped {
    type ReadHalf = CappedRead;
    type WriteHalf = <Stream as Socket>::WriteHalf;

    const CAN_TRANSFER_FDS: bool = true;

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        let (read, write) = self.stream.split();
        (CappedRead { read, share: self.share, shape: Shape::default() }, write)
    }
}

impl UnixSocket for Capped {}

impl AsFd for Capped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The reading half. It waits while the uid's budget is used up, and fails once a message exceeds a bound or has a descriptor.
#[derive(Debug)]
pub(super) struct CappedRead {
    read: <Stream as Socket>::ReadHalf,
    share: Share,
    shape: Shape,
}

/// The shape of a message so far; a NUL ends the message.
#[derive(Debug, Default)]
struct Shape {
    bytes: usize,
    parts: u32,
    depth: u32,
    is_string: bool,
    is_escaped: bool,
}

impl Shape {
    /// Counts the bytes. False if no message of ours is so large, wide or deep.
    fn accepts(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.accepts_byte(*byte))
    }

    fn accepts_byte(&mut self, byte: u8) -> bool {
        self.bytes += 1;
        match byte {
            0 => *self = Self::default(),
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = self.is_string,
            b'"' => self.is_string = !self.is_string,
            _ if self.is_string => {}
            b'{' | b'[' => {
                self.parts += 1;
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.parts += 1,
            _ => {}
        }
        self.bytes <= MAX_MESSAGE_BYTES && self.parts <= MAX_PARTS && self.depth <= MAX_DEPTH
    }
}

impl UnixSocket for CappedRead {}

impl AsFd for CappedRead {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

impl ReadHalf for CappedRead {
    async fn read(&mut self, buffer: &mut [u8]) -> zlink::Result<ReadResult> {
        self.share.wait().await;
        let result = self.read.read(buffer).await?;
        // No method takes a descriptor. Newer kernels refuse them earlier (`refuse_descriptors`).
        if !result.fds().is_empty() {
            return Err(zlink::Error::BufferOverflow);
        }
        let bytes = &buffer[..result.bytes_read()];
        self.share.charge(bytes.len());
        if self.shape.accepts(bytes) { Ok(result) } else { Err(zlink::Error::BufferOverflow) }
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

    /// The broker's result of reading the bytes that `attack` writes.
    fn received(attack: impl FnOnce(&mut UnixStream) + Send + 'static) -> zlink::Result<()> {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            attack(&mut theirs);
            theirs
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            let (mut reader, _writer) =
                Connection::new(Capped::new(Stream::try_from(ours).unwrap(), Share::unused())).split();
            reader.receive_call::<Value>().await.map(drop)
        });
        drop(writer.join());
        result
    }

    #[test]
    fn a_wide_or_deep_message_is_refused_before_it_is_whole_and_a_long_string_is_not() {
        let refuses = |text: &str| !Shape::default().accepts(text.as_bytes());
        assert!(refuses(&"[".repeat(17)) && !refuses(&"[".repeat(16)) && !refuses(&"[]".repeat(20)));
        assert!(refuses(&format!("[{}", "0,".repeat(4096))) && !refuses(&format!("[{}", "0,".repeat(4000))));
        assert!(refuses(&"{}".repeat(5000)));
        let command = r#"{"method":"a","parameters":{"command":"STRING"}}"#;
        for inside in [",[{".repeat(50_000), r#"\","#.repeat(50_000), "x".repeat(200_000)] {
            assert!(!refuses(&command.replace("STRING", &inside)), "{inside:.10}");
        }
        // An escaped quote ends no string; an escaped backslash before a quote does not escape it.
        assert!(refuses(&format!(r#""\\"{}"#, ",".repeat(5000))) && !refuses(&format!(r#""\"{}"#, ",".repeat(5000))));
    }

    #[test]
    fn each_message_is_counted_from_zero_however_it_is_split() {
        let mut shape = Shape::default();
        let message = format!("[{}0]\0", "0,".repeat(3000)).into_bytes();
        assert!((0..10).all(|_| message.chunks(7).all(|chunk| shape.accepts(chunk))));
        assert!(!shape.accepts(&vec![b' '; MAX_MESSAGE_BYTES + 1]));
    }

    #[test]
    fn a_message_without_end_is_refused() {
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
