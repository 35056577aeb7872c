//! The journal: every event an entry with its fields, and with the message id that the catalog explains it by.

use super::line::Content;
use crate::event::Kind;
use libsystemd::logging::{Priority, journal_send};
use std::borrow::Cow;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{Layer, layer::Context};

/// Writes to the journal. A field `user` is `PODSPAWN_USER` there.
#[derive(Debug)]
pub struct Journal;

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let content = Content::of(event);
        let metadata = event.metadata();
        let priority = match *metadata.level() {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Notice,
            Level::DEBUG => Priority::Info,
            Level::TRACE => Priority::Debug,
        };
        let line = metadata.line().map(|line| line.to_string());
        let standard = [
            ("SYSLOG_IDENTIFIER", Some("podspawn")),
            ("MESSAGE_ID", content.kind().and_then(Kind::named).map(Kind::message_id)),
            ("TARGET", Some(metadata.target())),
            ("CODE_FILE", metadata.file()),
            ("CODE_LINE", line.as_deref()),
        ];
        let standard = standard.into_iter().filter_map(|(name, value)| Some((Cow::Borrowed(name), value?)));
        let own = content.fields.iter().map(|(name, value)| (Cow::Owned(field(name)), value.as_str()));
        // Best effort: a journal that does not listen is no reason to fail.
        let _ = journal_send(priority, &content.message, standard.chain(own));
    }
}

/// The journal's name of a field.
fn field(name: &str) -> String {
    let name = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    "PODSPAWN_".chars().chain(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_as_journald_wants_it() {
        assert_eq!(field("user"), "PODSPAWN_USER");
        assert_eq!(field("log.target"), "PODSPAWN_LOG_TARGET");
    }
}
