//! What a connection runs, bounded: a command may have 128 KiB, and its sender could fill the disk.

use super::text;
use crate::domain::text::hex;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// How much of a command is written, in bytes: of its text as JSON escapes it, and of its bytes in base64 where the text
/// is not exact. A line has at most about 10 KiB.
pub(super) const MAX_COMMAND: usize = 4096;

/// What a connection runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `shell`, `command` or `sftp`.
    pub kind: &'static str,
    /// The command, as the client sent it; what is not UTF-8 in it is replaced. Its beginning only, if the whole would
    /// have more than [`MAX_COMMAND`] bytes in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The command's first [`MAX_COMMAND`] bytes, where `command` has not all of them or not exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_base64: Option<String>,
    /// The length of the whole command, where only its first [`MAX_COMMAND`] bytes are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_bytes: Option<usize>,
    /// The SHA-256 of the whole command in hexadecimal, beside its length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_sha256: Option<String>,
}

impl Run {
    /// A login shell.
    #[must_use]
    pub fn shell() -> Self {
        Self { kind: "shell", ..Self::default() }
    }

    /// An SFTP server.
    #[must_use]
    pub fn sftp() -> Self {
        Self { kind: "sftp", ..Self::default() }
    }

    /// A command.
    #[must_use]
    pub fn command(bytes: &[u8]) -> Self {
        let kept = beginning(bytes);
        let text = String::from_utf8_lossy(kept);
        let shown = clipped(&text);
        let is_exact = shown.len() == text.len() && matches!(text, Cow::Borrowed(_));
        let is_whole = kept.len() == bytes.len();
        Self {
            kind: "command",
            command: Some(shown.to_owned()),
            command_base64: (!is_exact).then(|| BASE64_STANDARD.encode(kept)),
            command_bytes: (!is_whole).then_some(bytes.len()),
            command_sha256: (!is_whole).then(|| hex(&Sha256::digest(bytes))),
        }
    }

    /// About how many bytes it adds to a line.
    #[must_use]
    pub fn cost(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let shown = self.command.as_deref().unwrap_or_default();
        shown.chars().map(text::width).sum::<usize>() + length(&self.command_base64) + length(&self.command_sha256)
    }
}

/// At most [`MAX_COMMAND`] bytes, without a part of a character at the end.
#[must_use]
pub fn beginning(bytes: &[u8]) -> &[u8] {
    let Some(kept) = bytes.get(..MAX_COMMAND).filter(|kept| kept.len() < bytes.len()) else { return bytes };
    match std::str::from_utf8(kept) {
        Err(error) if error.error_len().is_none() => &kept[..error.valid_up_to()],
        _ => kept,
    }
}

/// As much of a text as has at most [`MAX_COMMAND`] bytes in a line.
fn clipped(text: &str) -> &str {
    let mut bytes = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        bytes += text::width(c);
        (bytes > MAX_COMMAND).then_some(at)
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(run: &Run) -> Vec<u8> {
        BASE64_STANDARD.decode(run.command_base64.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn a_command_of_ordinary_length_is_there_byte_for_byte_and_has_no_other_field() {
        let text = "printf '%s\\n' \"a  b\" '$x' \u{20ac}\t; exit 3 \u{202e}";
        let run = Run::command(text.as_bytes());
        assert_eq!(run, Run { kind: "command", command: Some(text.into()), ..Run::default() });
        let longest = "x".repeat(MAX_COMMAND);
        assert_eq!(Run::command(longest.as_bytes()).command, Some(longest));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_beside_the_text() {
        let run = Run::command(b"a\xff");
        assert_eq!((run.command.as_deref(), decoded(&run)), (Some("a\u{fffd}"), b"a\xff".to_vec()));
        assert_eq!((run.command_bytes, run.command_sha256), (None, None));
    }

    #[test]
    fn a_long_command_is_cut_and_its_length_and_hash_are_those_of_the_whole() {
        let long = "é".repeat(60_000);
        let run = Run::command(long.as_bytes());
        assert_eq!(run.command.as_ref().map(String::len), Some(MAX_COMMAND));
        assert_eq!((run.command_bytes, &run.command_base64), (Some(120_000), &None));
        // printf 'é%.0s' $(seq 60000) | sha256sum
        assert_eq!(
            run.command_sha256.as_deref(),
            Some("75148dcfc2180774862f4849f7c56fa10a38eb216690bfb7c038ab05667c5f22")
        );
        // A character is not cut in two.
        let odd = Run::command(format!("x{long}").as_bytes());
        assert_eq!(odd.command.map(|text| text.len()), Some(MAX_COMMAND - 1));
    }

    #[test]
    fn a_line_has_a_bound_whatever_the_command_is_made_of() {
        for part in [b"\x01".as_slice(), b"\xff", b"x", b"\\", b"\n", "\u{202e}".as_bytes(), "\u{e0001}".as_bytes()] {
            let bytes = part.repeat(128 * 1024 / part.len());
            let run = Run::command(&bytes);
            let line = text::object(&run).len();
            assert!(line < 10_000 && line < run.cost() + 200 && run.cost() < line, "{part:?}: {line}, {}", run.cost());
            assert_eq!(run.command_bytes, Some(bytes.len()));
        }
    }

    #[test]
    fn a_text_that_escapes_would_blow_up_is_whole_in_base64() {
        let run = Run::command(&[1; 4000]);
        assert_eq!(decoded(&run), [1; 4000]);
        assert_eq!(run.command.as_ref().map(String::len), Some(MAX_COMMAND / 6));
        assert_eq!(run.command_bytes, None);
    }
}
