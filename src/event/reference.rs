//! The page of events for the documentation.

use super::{Kind, Severity};
use std::fmt::Write as _;

/// Every event as Markdown: name, meaning, severity, sinks beside the log, message id.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    for kind in Kind::ALL {
        let severity = match kind.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let sinks = [("audit", ", audit log"), ("metrics", ", metrics")];
        let sinks: String =
            sinks.iter().filter(|(sink, _)| kind.sinks().contains(sink)).map(|(_, text)| *text).collect();
        let (name, meaning, id) = (kind.name(), kind.meaning(), kind.message_id());
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "### `{name}`\n\n{meaning}.\n\n- Severity: {severity}\n- In: log{sinks}\n- `MESSAGE_ID={id}`\n\n"
        );
    }
    page
}
