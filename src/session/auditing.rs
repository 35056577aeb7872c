//! The settings of the audit log.

use std::path::PathBuf;

/// Where the audit log is, and what follows if it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auditing {
    /// The file.
    pub path: PathBuf,
    /// Whether logins are refused then.
    pub required: bool,
}
