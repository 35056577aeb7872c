//! The audit log: one JSON object a line, appended to a file that survives rotations.
//!
//! The objects are the records of [`crate::event`]; the session's audit queue decides when they are written, and what
//! follows if they cannot be. Every line begins with its number, by which a line that may have been lost is looked for.

mod file;
mod run;
mod text;

pub use file::{AuditError, AuditFile, FileStatus};
pub use run::{Run, beginning};

use serde::Serialize;

/// The beginning of every line.
const NUMBER: &str = "{\"seq\":";

/// The line of a record, with its newline.
#[must_use]
pub fn line(number: u64, record: &impl Serialize) -> String {
    let rest = text::object(record);
    format!("{NUMBER}{number},{}\n", rest.strip_prefix('{').unwrap_or(&rest))
}

/// The number of a [`line`], from its beginning.
fn number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(NUMBER.as_bytes())?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_that_begins_with_its_number() {
        let text = line(7, &serde_json::json!({ "event": "connect", "command": "ls\n\u{202e}" }));
        assert_eq!(text, "{\"seq\":7,\"command\":\"ls\\n\\u202e\",\"event\":\"connect\"}\n");
        assert_eq!(number(text.as_bytes()), Some(7));
        assert_eq!(number(b"{\"seq\":x,"), None);
    }
}
