//! Standard error: each error on one line.

use crate::domain::{plain, text};
use std::{fmt::Display, io::Write as _};

/// Prints `message` behind the program's name, without the numbers that Rust adds to the operating system's errors and
/// without characters that control a terminal. A stream that is closed is no failure: there is nothing else to do about it.
pub fn complain(message: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "podspawn: {}", text::lines(&plain(message)));
}
