//! A copy of the database from before a migration, for a return to the version that wrote it.
//!
//! An older podspawn refuses a newer schema, so that without the copy a rollback would need a backup.

use super::{
    StoreError,
    backup::{beside, if_there, make_one_file, online},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// Where the copy of the database at `path` with `schema` is.
pub(super) fn place(path: &Path, schema: i64) -> PathBuf {
    beside(path, &format!(".schema-{schema}"))
}

/// Copies the database at `path`, which has `schema`, to its [`place`], over an earlier copy. The caller has locked it
/// for writing and has written nothing. When this returns the copy is complete and on the disk; until then the place
/// has what it had.
pub(super) fn keep(path: &Path, schema: i64, deadline: Instant) -> Result<(), StoreError> {
    // The lock admits one process at a time, so that an existing file is left of one that was killed.
    let partial = beside(path, ".schema-partial");
    let made = || -> io::Result<File> {
        if_there(fs::remove_file(&partial))?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)
    };
    drop(made().map_err(StoreError::from_io)?);
    let done = || -> Result<(), StoreError> {
        online(path, &partial, deadline)?;
        make_one_file(&partial)?;
        let settled = || -> io::Result<()> {
            File::open(&partial)?.sync_all()?;
            fs::rename(&partial, place(path, schema))?;
            path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
        };
        settled().map_err(StoreError::from_io)
    };
    done().inspect_err(|_| {
        // A disk that was full is not to be left with half a copy on it.
        let _ = fs::remove_file(&partial);
    })
}

#[cfg(test)]
mod tests;
