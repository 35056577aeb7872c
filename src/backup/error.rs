//! Errors of backups and restores.

use super::manifest::{DATABASE, MANIFEST, MANIFEST_SUM, ManifestError, NameError};
use crate::store::StoreError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The message after a restore that was interrupted.
pub const PENDING: &str = "a restore did not come to its end, so state and configuration may not fit together; `podspawn restore --resume` \
     brings it there";

/// Why there is no backup, or nothing was restored. Unless it says otherwise, only files of the backup or restore itself
/// have changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or directory.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// The action.
        action: &'static str,
        /// The file or directory.
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
    #[error("{} is not a whole backup: {fault}", .path.display())]
    Altered {
        /// The directory.
        path: PathBuf,
        /// The difference.
        fault: Fault,
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
    /// The configuration, which names the files, has mistakes.
    #[error("{} does not name the files to back up or restore: {mistakes}", .path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// All mistakes.
        mistakes: String,
    },
    /// Another backup or restore is at work.
    #[error("{0}")]
    Busy(&'static str),
    /// An earlier restore was interrupted.
    #[error("{PENDING}")]
    Pending,
    /// A name that a backup cannot have.
    #[error("{}: {source}", .path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: NameError,
    },
    /// The directory of the backups is not fit for them.
    #[error("{} {why}", .path.display())]
    Destination {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// There are more files than a manifest may name.
    #[error("there are more files than a manifest may name")]
    TooManyFiles,
    /// A file cannot be replaced by a restore.
    #[error("{} {why}", .path.display())]
    Irreplaceable {
        /// The file or directory.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// The record of a restore is not usable.
    #[error("{} {why}", .path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// How a backup differs from what was written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The manifest itself.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The manifest and its hash.
    #[error("{MANIFEST} is not what {MANIFEST_SUM} says")]
    Sum,
    /// A file that cannot be read.
    #[error("{name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A name that no backup has.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A file of the manifest that does not exist.
    #[error("{0} is missing")]
    Missing(String),
    /// A file that the manifest does not name.
    #[error("{0} is not in the manifest")]
    Unlisted(String),
    /// A file with another content.
    #[error("{0} is not what the manifest says")]
    Changed(String),
    /// A file where the manifest has a link.
    #[error("{0} is a link in the manifest")]
    NoLink(String),
    /// A database of another schema.
    #[error("{DATABASE} has schema {found}, the manifest says {stated}")]
    Schema {
        /// The database's.
        found: i64,
        /// The manifest's.
        stated: i64,
    },
}

/// Names the action and the file of an error.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, BackupError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::File { action, path: path.to_owned(), source: error.into() })
    }
}
