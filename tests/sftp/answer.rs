//! Answers as lines that can be compared.

use crate::tree::time;
use std::fmt::Write as _;

/// The fields of a packet.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (field, rest) = self.0.split_at(length);
        self.0 = rest;
        field
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take(8).try_into().unwrap())
    }

    pub(crate) fn string(&mut self) -> &'a [u8] {
        let length = self.u32() as usize;
        self.take(length)
    }

    fn attributes(&mut self) -> String {
        let flags = self.u32();
        let mut text = format!("{flags:x}");
        if flags & 1 != 0 {
            let _ = write!(text, " size {}", self.u64());
        }
        if flags & 2 != 0 {
            let _ = write!(text, " owner {}:{}", self.u32(), self.u32());
        }
        if flags & 4 != 0 {
            let _ = write!(text, " mode {:o}", self.u32());
        }
        if flags & 8 != 0 {
            // A read may change the first, as the mount has it.
            self.u32();
            let _ = write!(text, " modified {}", time(self.u32().into()));
        }
        text
    }
}

/// What one answer says, without the texts of a status. Names are sorted: a directory has no order.
pub(crate) fn line(content: &[u8]) -> String {
    let mut fields = Fields(content);
    let kind = fields.byte();
    if kind != 2 {
        // The request's id.
        fields.u32();
    }
    let text = match kind {
        2 => {
            let mut text = format!("VERSION {}", fields.u32());
            while !fields.0.is_empty() {
                let _ = write!(text, " {}={}", fields.string().escape_ascii(), fields.string().escape_ascii());
            }
            return text;
        }
        101 => {
            let text = format!("STATUS {}", fields.u32());
            if fields.0.is_empty() {
                return text + " without text";
            }
            assert!(!fields.string().is_empty());
            assert_eq!(fields.string(), b"");
            text
        }
        102 => format!("HANDLE {}", fields.string().escape_ascii()),
        103 => {
            let data = fields.string();
            let sum = data.iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            format!("DATA {} {sum:x}", data.len())
        }
        104 => {
            let mut names: Vec<String> = (0..fields.u32())
                .map(|_| {
                    let (name, mut long) = (fields.string(), fields.string().to_vec());
                    let attributes = fields.attributes();
                    // The two servers may look in different minutes at what is new.
                    if attributes.ends_with(" now")
                        && let Some(at) = long.len().checked_sub(name.len() + 13)
                    {
                        long.splice(at..at + 12, *b"now");
                    }
                    format!("\n    {} | {} | {attributes}", name.escape_ascii(), long.escape_ascii())
                })
                .collect();
            names.sort();
            format!("NAME {}{}", names.len(), names.concat())
        }
        105 => format!("ATTRS {}", fields.attributes()),
        201 => {
            let text = format!("EXTENDED {}", fields.0.escape_ascii());
            fields.0 = &[];
            text
        }
        other => format!("kind {other}"),
    };
    assert!(fields.0.is_empty(), "{text}, and {} bytes more", fields.0.len());
    text
}
