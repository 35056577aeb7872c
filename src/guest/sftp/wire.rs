//! Packets as bytes: numbers are big-endian, strings have their length in front.

use std::io::{self, Read};

/// Largest packet of a client, in bytes without its length: OpenSSH's `SFTP_MAX_MSG_LENGTH`.
pub(super) const MAX_PACKET: usize = 256 * 1024;
/// Most bytes of one read or write; what surrounds them fits the rest of a packet.
pub(super) const MAX_DATA: usize = MAX_PACKET - 1024;

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const READ: u8 = 5;
pub(super) const WRITE: u8 = 6;
pub(super) const LSTAT: u8 = 7;
pub(super) const FSTAT: u8 = 8;
pub(super) const SETSTAT: u8 = 9;
pub(super) const FSETSTAT: u8 = 10;
pub(super) const OPENDIR: u8 = 11;
pub(super) const READDIR: u8 = 12;
pub(super) const REMOVE: u8 = 13;
pub(super) const MKDIR: u8 = 14;
pub(super) const RMDIR: u8 = 15;
pub(super) const REALPATH: u8 = 16;
pub(super) const STAT: u8 = 17;
pub(super) const RENAME: u8 = 18;
pub(super) const READLINK: u8 = 19;
pub(super) const SYMLINK: u8 = 20;
pub(super) const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

/// A packet that ends before its fields do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated;

/// The fields of a packet, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Truncated> {
        self.take(1).map(|field| field.iter().fold(0, |_, &byte| byte))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Truncated> {
        self.take(4).map(|field| field.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Truncated> {
        self.take(8).map(|field| field.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Truncated> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}

/// Writes fields at the end of a buffer.
pub(super) trait Put {
    fn put_u32(&mut self, number: u32);
    fn put_u64(&mut self, number: u64);
    fn put_string(&mut self, string: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u32(&mut self, number: u32) {
        self.extend_from_slice(&number.to_be_bytes());
    }

    fn put_u64(&mut self, number: u64) {
        self.extend_from_slice(&number.to_be_bytes());
    }

    fn put_string(&mut self, string: &[u8]) {
        // Nothing that is sent comes near 4 GiB.
        self.put_u32(u32::try_from(string.len()).unwrap_or(u32::MAX));
        self.extend_from_slice(string);
    }
}

/// What a request is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    /// A code and a text.
    Status(Code, String),
    Handle([u8; 4]),
    Data(Vec<u8>),
    /// File names with the line that `ls -l` would show and the encoded attributes.
    Names(Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>),
    /// Encoded attributes.
    Attributes(Vec<u8>),
    /// What an extension answers.
    Extended(Vec<u8>),
}

/// Status codes of version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    EndOfFile = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

impl Answer {
    pub(super) fn ok() -> Self {
        Self::Status(Code::Ok, "Success".into())
    }

    /// Appends the packet that answers request `id`; a status has its text if the client knows `texts`.
    pub(super) fn encode(&self, id: u32, texts: bool, to: &mut Vec<u8>) {
        packet(to, |to| {
            to.push(match self {
                Self::Status(..) => STATUS,
                Self::Handle(_) => HANDLE,
                Self::Data(_) => DATA,
                Self::Names(_) => NAME,
                Self::Attributes(_) => ATTRS,
                Self::Extended(_) => EXTENDED_REPLY,
            });
            to.put_u32(id);
            match self {
                Self::Status(code, text) => {
                    to.put_u32(*code as u32);
                    if texts {
                        to.put_string(text.as_bytes());
                        to.put_string(b"");
                    }
                }
                Self::Handle(handle) => to.put_string(handle),
                Self::Data(data) => to.put_string(data),
                Self::Names(names) => {
                    to.put_u32(u32::try_from(names.len()).unwrap_or(u32::MAX));
                    for (name, line, attributes) in names {
                        to.put_string(name);
                        to.put_string(line);
                        to.extend_from_slice(attributes);
                    }
                }
                Self::Attributes(bytes) | Self::Extended(bytes) => to.extend_from_slice(bytes),
            }
        });
    }
}

/// Appends a packet whose content `fill` writes, with its length in front.
pub(super) fn packet(to: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.put_u32(0);
    fill(to);
    let length = u32::try_from(to.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = to.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Bytes received, from which whole packets are taken.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Where the first packet not yet taken begins, and where the received bytes end.
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; 4096], start: 0, end: 0 }
    }

    /// The next packet's content, if it has arrived whole. A length that no packet has ends the connection: where the
    /// next packet begins is then unknown.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut fields = Fields(self.bytes.get(self.start..self.end).unwrap_or_default());
        let Ok(length) = fields.u32() else { return Ok(None) };
        let length = length as usize;
        if length == 0 || length > MAX_PACKET {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet of impossible length"));
        }
        let Ok(content) = fields.take(length) else { return Ok(None) };
        self.start += 4 + length;
        Ok(Some(content))
    }

    /// Reads what there is; false at the end. Called when no whole packet is left.
    pub(super) fn fill(&mut self, input: &mut impl Read) -> io::Result<bool> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.bytes.len() {
            // A packet larger than the buffer: `next` has checked that it may be. Large ones come in numbers.
            self.bytes.resize(MAX_PACKET + 4, 0);
        }
        let Some(room) = self.bytes.get_mut(self.end..) else { return Ok(false) };
        let read = loop {
            match input.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.end += read;
        Ok(read > 0)
    }
}
