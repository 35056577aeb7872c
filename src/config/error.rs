//! Mistakes in files, with their places.

use crate::domain::text::is_plain;
use std::{fmt, path::PathBuf};

/// One mistake in one file. Always one line; [`FileError`] adds the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct ConfigError {
    /// The line, from 1; 0 if the mistake has no place.
    pub line: u64,
    /// The column, in characters from 1; 0 if the mistake has no place.
    pub column: u64,
    /// The mistake, and the remedy.
    pub message: String,
}

impl ConfigError {
    /// A mistake at a place; control characters in the message are escaped, so that it stays one line.
    pub(super) fn new(line: u64, column: u64, message: &str) -> Self {
        let mut one_line = String::with_capacity(message.len());
        for c in message.chars() {
            if is_plain(c) {
                one_line.push(c);
            } else {
                one_line.extend(c.escape_default());
            }
        }
        Self { line, column, message: one_line }
    }
}

/// A file that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The mistake.
    pub error: ConfigError,
}

impl std::error::Error for FileError {}

impl fmt::Display for FileError {
    /// `FILE:LINE:COLUMN: message`, or `FILE: message` where there is no place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.error.line == 0 {
            write!(f, "{path}: {}", self.error.message)
        } else {
            write!(f, "{path}:{}", self.error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_the_file_contains() {
        let error = ConfigError::new(3, 7, "\"a\nb\u{2028}\u{1b}[31m\" is not a size");
        assert_eq!(error.to_string(), "3:7: \"a\\nb\\u{2028}\\u{1b}[31m\" is not a size");
        let file = FileError { path: "/etc/podspawn/config.yaml".into(), error };
        assert!(file.to_string().starts_with("/etc/podspawn/config.yaml:3:7: "));
    }
}
