//! Text that users, containers, images and engines chose, as it is shown on a terminal or in a log.

use std::fmt::Write as _;

/// What takes the place of a character that is not shown as it is.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Whether a character is shown as it is: it moves no cursor, starts no line, changes no direction of writing, and is
/// not invisible.
#[must_use]
pub fn is_plain(c: char) -> bool {
    let is_hidden = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            // Zero width, left-to-right and right-to-left marks.
            | '\u{200b}'..='\u{200f}'
            // Line and paragraph separators; embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Word joiner, invisible operators, isolates.
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            // Tags, which spell a text of their own.
            | '\u{e0000}'..='\u{e007f}'
    );
    // C0, DEL and C1: a terminal takes U+009B for the beginning of a sequence.
    !c.is_control() && !is_hidden
}

/// `text` on one line: white space is a blank, and what is not shown as it is has a replacement. Nothing is left out, so
/// that two texts that differ do not look the same.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(plain).collect()
}

/// As [`one_line`], line by line: for text that has several.
#[must_use]
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { plain(c) }).collect()
}

/// JSON that means the same, with an escape for every character of its strings that is not shown as it is: a program reads
/// what was written, and a terminal is left alone. Outside of its strings JSON has white space alone.
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) || c == '\n' {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}

/// Bytes as lowercase hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn plain(c: char) -> char {
    match c {
        _ if is_plain(c) => c,
        _ if c.is_whitespace() => ' ',
        _ => REPLACEMENT,
    }
}

/// `template` with the value of each name that stands in it in braces. A name without a value stays, and braces in a
/// value have no meaning.
#[must_use]
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let filled = part.split_once('}').and_then(|(name, after)| Some((value(name)?, after)));
        if let Some((value, after)) = filled {
            text.push_str(&value);
            text.push_str(after);
        } else {
            text.push('{');
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_once() {
        let value = |name: &str| {
            [("a", "{b}"), ("b", "x")].iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
        };
        assert_eq!(fill("{a} {b}, {c} { {", value), "{b} x, {c} { {");
    }

    #[test]
    fn nothing_moves_the_cursor_turns_text_around_or_hides() {
        for (raw, shown) in [
            ("x\u{1b}[2Jy", "x\u{fffd}[2Jy"),
            ("x\u{9b}2Jy\u{85}z", "x\u{fffd}2Jy z"),
            ("evil\u{202e}txt.exe", "evil\u{fffd}txt.exe"),
            ("al\u{200b}ice\u{2066}", "al\u{fffd}ice\u{fffd}"),
            ("a\r\n\tb\u{2028}c\u{feff}", "a   b c\u{fffd}"),
            ("\u{e0061}\u{61c}\u{7f}\0", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("日本語 ünïcode – 🦀", "日本語 ünïcode – 🦀"),
        ] {
            assert_eq!(one_line(raw), shown, "{raw:?}");
            assert!(one_line(raw).chars().all(is_plain));
        }
        let raw = serde_json::json!({ "x\u{9b}": ["\u{202e}\u{7f}\u{e0061}\n", "ü🦀"] });
        let shown = json(&serde_json::to_string_pretty(&raw).unwrap());
        assert!(shown.chars().all(|c| is_plain(c) || c == '\n') && shown.contains("ü🦀"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), raw);
        assert_eq!(lines("a\nb\rc\u{9b}"), "a\nb c\u{fffd}");
    }
}
