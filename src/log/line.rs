//! An event as text: its message and fields, and the line of the log file made of them.

use crate::domain::plain;
use std::fmt::{Debug, Write as _};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// Longest value in a line of the file, in characters. A command may have 128 KiB; the audit log has it whole.
const MAX_VALUE: usize = 1000;

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Content {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut content = Self::default();
        event.record(&mut content);
        content
    }

    /// What kind of event it is, if it is one that operators look for.
    pub(super) fn kind(&self) -> Option<&str> {
        self.fields.iter().find(|(name, _)| *name == "event").map(|(_, value)| value.as_str())
    }

    /// `2026-01-02T03:04:05.600000Z INFO alice connected event=connect user=alice`, with a newline.
    pub(super) fn line(&self, at: jiff::Timestamp, level: Level) -> String {
        let mut line = format!("{at:.6} {level} ");
        escape(&mut line, &self.message);
        for (name, value) in &self.fields {
            let _ = write!(line, " {name}=");
            let plain = |c: char| c.is_alphanumeric() || "-_./:@+,%".contains(c);
            if !value.is_empty() && value.chars().all(plain) {
                escape(&mut line, value);
            } else {
                line.push('"');
                escape(&mut line, &value.replace('"', "'"));
                line.push('"');
            }
        }
        line.push('\n');
        line
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = plain(value),
            // The user's own words, whatever they are.
            "command" => self.fields.push(("command", value)),
            name => self.fields.push((name, plain(value))),
        }
    }
}

impl Visit for Content {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// Appends `text`, cut where it is too long. A control character, or one that turns the direction of writing, would let
/// the author of the text forge a line or disturb a terminal.
fn escape(line: &mut String, text: &str) {
    for (count, c) in text.chars().enumerate() {
        if count == MAX_VALUE {
            line.push('…');
            return;
        }
        match c {
            '"' | '\'' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, fields: &[(&'static str, &str)]) -> String {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let at = "2026-01-02T03:04:05.6+01:00".parse().unwrap();
        Content { message: message.into(), fields }.line(at, Level::INFO)
    }

    #[test]
    fn a_line_has_the_time_in_utc_the_level_the_message_and_the_fields() {
        assert_eq!(
            line("alice connected", &[("event", "connect"), ("project", ""), ("outcome", "exit code 0")]),
            "2026-01-02T02:04:05.600000Z INFO alice connected event=connect project=\"\" outcome=\"exit code 0\"\n"
        );
    }

    #[test]
    fn a_value_makes_neither_a_second_line_nor_a_field() {
        assert_eq!(
            line("a\nb\u{1b}[2J \u{202e}", &[("command", "x\" user=\"root\n\\")]),
            "2026-01-02T02:04:05.600000Z INFO a\\nb\\u{1b}[2J \\u{202e} command=\"x' user='root\\n\\\\\"\n"
        );
    }

    #[test]
    fn a_value_has_a_bound() {
        let long = line("m", &[("command", &"x".repeat(128 << 10))]);
        assert!(long.chars().count() < MAX_VALUE + 100 && long.ends_with("x…\n"), "{long}");
    }
}
