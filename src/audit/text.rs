//! JSON that shows what it says: no character of a line moves, hides or reorders the text around it.
//!
//! JSON leaves C1 controls, bidirectional controls and line separators as they are. A command could use them to forge what
//! a terminal or an editor shows of the log.

use crate::domain::text::{is_plain, json};
use serde::Serialize;

/// An object on one line, without a newline.
pub(super) fn object(value: &impl Serialize) -> String {
    // Our own types have string keys and finite numbers only, for which this cannot fail.
    json(&serde_json::to_string(value).unwrap_or_default())
}

/// How many bytes a character has in a line.
pub(super) fn width(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        c if !is_plain(c) => 6 * c.len_utf16(),
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_deceive_are_escaped_and_mean_the_same() {
        let text = "a\u{202e}b\u{9b}31m\u{2028}\u{200f}\u{2066}\u{e0041}\u{1f600}é\u{7f}\u{1}\n\"\\";
        let line = object(&text);
        let expected =
            concat!(r#""a\u202eb\u009b31m\u2028\u200f\u2066\udb40\udc41"#, "\u{1f600}é", r#"\u007f\u0001\n\"\\""#);
        assert_eq!(line, expected);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }

    #[test]
    fn the_width_of_a_character_is_what_is_written() {
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            assert_eq!(object(&c).len() - 2, width(c), "{:x}", u32::from(c));
        }
    }
}
