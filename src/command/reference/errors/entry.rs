//! The types of the table of messages.

use std::fmt;

/// One cause, and the messages that it shows.
#[derive(Debug)]
pub struct Entry {
    /// The messages, word for word; `…` stands for a part that differs.
    pub messages: &'static [&'static str],
    /// The words before each message that does not begin with them: the sources have these in another place.
    pub beginning: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// Who can correct it.
    pub fixed_by: FixedBy,
    /// What that person does, as Markdown.
    pub remedy: &'static str,
}

impl Entry {
    /// The same entry; its messages follow these words.
    pub(super) const fn after(self, beginning: &'static str) -> Self {
        Self { beginning, ..self }
    }

    /// The messages as a user sees them.
    pub(super) fn shown(&self) -> impl Iterator<Item = String> {
        self.messages.iter().map(|message| {
            let beginning = if message.starts_with(self.beginning) { "" } else { self.beginning };
            // Two parts that differ side by side are one to a reader.
            format!("{beginning}{message}").replace("……", "…")
        })
    }
}

/// Who can correct the cause of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixedBy {
    /// The user who reads the message.
    User,
    /// The server's administrator.
    Administrator,
    /// The user first; the administrator if that does not help.
    UserThenAdministrator,
    /// The message reports something that is no failure.
    NoFailure,
}

impl fmt::Display for FixedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the user",
            Self::Administrator => "the administrator",
            Self::UserThenAdministrator => "the user; if that does not help, the administrator",
            Self::NoFailure => "nothing has to be fixed",
        })
    }
}

/// A group of entries with a heading of its own.
#[derive(Debug)]
pub struct Chapter {
    /// The heading.
    pub title: &'static str,
    /// The entries.
    pub entries: &'static [Entry],
}

/// An entry of its four parts.
pub(super) const fn entry(
    messages: &'static [&'static str],
    meaning: &'static str,
    fixed_by: FixedBy,
    remedy: &'static str,
) -> Entry {
    Entry { messages, beginning: "", meaning, fixed_by, remedy }
}
