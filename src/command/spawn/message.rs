//! Lines for the user, on standard error.

use crate::domain::{plain, text};
use std::io::{self, IsTerminal as _, Write as _};

/// Writes one line to standard error.
pub(super) fn print(message: &str) {
    let _ = io::stderr().write_all(line(message, io::stderr().is_terminal()).as_bytes());
}

/// The line of `message`. On a terminal in raw mode a line needs its carriage return.
pub(super) fn line(message: &str, on_terminal: bool) -> String {
    // Part of the message may come from the container: it cannot move the cursor or reverse the text.
    let end = if on_terminal { "\r\n" } else { "\n" };
    format!("podspawn: {}{end}", text::one_line(&plain(message)))
}
