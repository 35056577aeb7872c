//! The files under `/etc/podspawn`: text in, validated values out.
//!
//! Pure: nothing here opens a file or knows the time (`settings` does). A file with one mistake yields no value at
//! all, so nothing ever half-applies; every mistake is reported with line, column and a remedy.

mod error;
mod fields;
mod keys;
mod project;
mod readers;
mod reference;
mod security;
mod server;
mod user;
mod value;
mod yaml;

pub use error::{ConfigError, FileError};
pub use keys::{Key, Row, Values};
pub use project::{Project, ProjectUsers, Projects};
pub use reference::reference;
pub use security::Security;
pub use server::{Auth, Backups, Config, Defaults, Log, Resources, SessionTimes, StatePaths};
pub use user::{Dotfiles, MAX_ENV, MAX_ENV_BYTES, UserOverrides, VariableName};
pub use value::{AbsolutePath, Branch, CommandLine, EngineHost, LoginShell, Repository, Wrong};
pub use yaml::MAX_FILE_BYTES;

use crate::domain::UserName;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Every file together: one consistent state of `/etc/podspawn`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `config.yaml`.
    pub config: Config,
    /// `projects.yaml`.
    pub projects: Projects,
    /// `users/<user>.yaml`.
    pub users: BTreeMap<UserName, UserOverrides>,
    /// The content of `security.seccomp_profile`; `None` is the engine's default profile.
    pub seccomp: Option<Arc<str>>,
}

/// The bytes of a file as text, or why they are none; `path` is the file's for the message.
pub fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count() as u64;
        let last = valid.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() as u64 + 1;
        FileError { path: path.to_owned(), error: ConfigError::new(line, column, "this is not UTF-8 text") }
    })
}

/// A file that cannot be used as a whole.
#[must_use]
pub fn unusable(path: &Path, why: &str) -> FileError {
    FileError { path: path.to_owned(), error: ConfigError::new(0, 0, why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_reported_with_their_place() {
        let error = text_of(Path::new("/x"), b"a: 1\nb: \xc3\xa9\xff\n".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "/x:2:5: this is not UTF-8 text");
    }
}
