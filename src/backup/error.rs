//! Why there is no backup, or nothing was restored.

use crate::store::StoreError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What went wrong. Unless it says otherwise, nothing was changed but files of the backup or restore itself.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or directory.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The state database.
    #[error("{}", .path.display())]
    Database {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// The directory is no backup of ours, or not as it was written.
    #[error("{} is not a whole backup: {why}", .path.display())]
    Altered {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Everything but the homes is backed up.
    #[error("no homes are backed up; {} is complete without them", .kept.display())]
    Homes {
        /// The backup of everything else.
        kept: PathBuf,
        /// Why they are not.
        #[source]
        source: Box<BackupError>,
    },
    /// It must not or cannot be done as things are; says what to do.
    #[error("{0}")]
    Refused(String),
}

/// Says what was to be done with what.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, BackupError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::File { action, path: path.to_owned(), source: error.into() })
    }
}
