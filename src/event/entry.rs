//! An event in the log: its text, and the fields that a query can use.

use super::{Kind, Severity, Subject};

/// One entry, without its kind and [`Subject`]. Each field is `PODSPAWN_<FIELD>` in the journal; an absent one is not written.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) text: String,
    pub(super) image: Option<&'a str>,
    pub(super) uid: Option<u32>,
    pub(super) channel: Option<u64>,
    pub(super) channels: Option<usize>,
    pub(super) command: Option<&'a str>,
    pub(super) outcome: Option<String>,
    pub(super) remaining: Option<usize>,
    pub(super) kind: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) counts: Option<String>,
}

impl Entry<'_> {
    /// An entry of a text alone.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Writes the entry to the process's log.
    pub(super) fn write(&self, kind: Kind, subject: &Subject<'_>) {
        macro_rules! at {
            ($severity:ident) => {
                tracing::$severity!(
                    event = kind.name(),
                    user = subject.user.map(display),
                    project = subject.project,
                    session = subject.session.map(display),
                    container = subject.container.map(display),
                    image = self.image.map(display),
                    uid = self.uid,
                    channel = self.channel,
                    channels = self.channels,
                    command = self.command,
                    outcome = self.outcome.as_deref(),
                    remaining = self.remaining,
                    kind = self.kind,
                    name = self.name,
                    reason = self.reason,
                    counts = self.counts.as_deref(),
                    "{}",
                    self.text
                )
            };
        }
        match kind.severity() {
            Severity::Info => at!(info),
            Severity::Warning => at!(warn),
            Severity::Error => at!(error),
        }
    }
}
