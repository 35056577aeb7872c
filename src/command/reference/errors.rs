//! Messages that a user may see instead of a session: the source of docs/errors.md.
//!
//! tests/troubleshoot.rs reads the messages out of the sources and compares: a new message needs an entry here, and
//! an entry needs its message.

mod connection;
mod container;
mod engine;
mod entry;
mod home;
mod limits;
mod server;

pub use entry::{Chapter, Entry, FixedBy};

use crate::engine::product;
use std::fmt::Write as _;

/// Every chapter, in the order of the page.
pub const CHAPTERS: [&Chapter; 6] =
    [&server::CHAPTER, &engine::CHAPTER, &limits::CHAPTER, &container::CHAPTER, &home::CHAPTER, &connection::CHAPTER];

/// The page as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    for chapter in CHAPTERS {
        let _ = write!(page, "## {}\n\n", chapter.title);
        for entry in chapter.entries {
            let messages: Vec<String> = entry.shown().collect();
            let _ = write!(page, "### {}\n\n```text\n{}\n```\n\n", heading(entry), messages.join("\n"));
            let _ = write!(page, "- **Meaning:** {}\n- **Who can fix it:** {}.\n", entry.meaning, entry.fixed_by);
            let _ = write!(page, "- **Do:** {}\n\n", product().fill(entry.remedy));
        }
    }
    page
}

/// Longest heading, in characters: it fits one line of a screen with its mark.
const MAX_HEADING: usize = 100;

/// The first message without its advice and without marks of Markdown.
fn heading(entry: &Entry) -> String {
    let whole = entry.shown().next().unwrap_or_default();
    // An advice belongs to the heading where the rest says nothing without it.
    let has_words = |text: &str| text.split(' ').filter(|word| word.len() > "…".len()).count() > 1;
    let message = whole.split("; ").next().filter(|start| has_words(start)).unwrap_or(&whole);
    let mut message = message.strip_suffix(": …").unwrap_or(message);
    while message.chars().count() > MAX_HEADING {
        let Some((start, _)) = message.rsplit_once(", ") else { break };
        message = start;
    }
    message.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_is_complete_and_every_heading_is_used_once() {
        let mut headings = BTreeSet::new();
        for entry in CHAPTERS.iter().flat_map(|chapter| chapter.entries) {
            for text in [entry.meaning, entry.remedy] {
                assert!(text.ends_with('.'), "{text}");
            }
            let heading = heading(entry);
            assert!(heading.chars().count() <= MAX_HEADING && !heading.trim_matches('…').is_empty(), "{heading}");
            assert!(headings.insert(heading), "twice: {entry:?}");
        }
        assert!(headings.len() > 40, "{headings:?}");
    }
}
