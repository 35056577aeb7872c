//! The table of events for the documentation.

use super::{Kind, Severity};
use std::fmt::Write as _;

/// The events as a Markdown table: name, message id, severity, sinks and meaning.
#[must_use]
pub fn reference() -> String {
    let mut table =
        String::from("| event | severity | audit log | metrics | meaning | MESSAGE_ID |\n|---|---|---|---|---|---|\n");
    for kind in Kind::ALL {
        let severity = match kind.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let has = |sink| if kind.sinks().contains(&sink) { "yes" } else { "–" };
        let (name, meaning, id) = (kind.name(), kind.meaning(), kind.message_id());
        // Writing to a String cannot fail.
        let _ =
            writeln!(table, "| `{name}` | {severity} | {} | {} | {meaning} | `{id}` |", has("audit"), has("metrics"));
    }
    table
}
