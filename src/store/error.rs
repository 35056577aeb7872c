//! What a failure of the database allows the caller to conclude.

use crate::domain::SessionId;
use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};
use std::io::{self, ErrorKind};

/// What must exist once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The session's id.
    Id,
    /// The user and project.
    Key,
    /// The subnet.
    Subnet,
}

/// A row whose columns are not what they must be: another program wrote it, or the file is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session {id:?}: column {column}: {reason}")]
pub struct BadRow {
    /// The id as it is in the row, at most 64 characters of it; need not be a session's.
    pub id: String,
    /// The column.
    pub column: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the database did not do what it was asked. Nothing was changed, whatever the variant.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row exists already.
    #[error("another session has the {}", match .0 { Unique::Id => "id", Unique::Key => "user and project", Unique::Subnet => "subnet" })]
    Taken(Unique),
    /// There is no such row (any more).
    #[error("no session {0} in the state database")]
    NoSuchSession(SessionId),
    /// Written by a later version, which alone knows what its columns mean.
    #[error(
        "the state database has schema {found}, this podspawn knows {known}: install the newer version again, or go back to the copy that it kept beside it, state.db.schema-{known} (docs/operate.md, Return to an older version)"
    )]
    Newer {
        /// The schema of the file.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Not a database, or damaged. The file is left as it is; a backup must be restored.
    #[error("the state database is not a database or is damaged: {0}")]
    Corrupt(String),
    /// The database is well, one row of it is not.
    #[error("the state database has a row that cannot be read")]
    BadRow(#[from] BadRow),
    /// The file, its directory or its file system may not be written.
    #[error("the state database may not be written")]
    ReadOnly(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space is left for it.
    #[error("no space is left for the state database")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another process has held it locked for longer than we wait. Trying again may help.
    #[error("the state database is locked by another process")]
    Locked(#[source] rusqlite::Error),
    /// The file could not be created or opened.
    #[error("the state database cannot be opened")]
    File(#[source] std::io::Error),
    /// Anything else.
    #[error("the state database failed")]
    Other(#[source] rusqlite::Error),
}

impl StoreError {
    /// Of a file beside the database, or of the database's own.
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(error.into()),
            ErrorKind::StorageFull => Self::Full(error.into()),
            _ => Self::File(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // The index of the write-ahead log could not be enlarged: what a full disk says when there is no log yet.
        let no_room_for_index = error.sqlite_error().is_some_and(|inner| inner.extended_code == SQLITE_IOERR_SHMSIZE);
        match error.sqlite_error_code() {
            _ if no_room_for_index => Self::Full(error.into()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(error.into()),
            Some(ErrorCode::DiskFull) => Self::Full(error.into()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(error),
            _ => Self::Other(error),
        }
    }
}
