//! A copy of the database while it is written to, and whether a copy is whole.
//!
//! The copier may only read: not even the index beside the write-ahead log is its to make. So `SQLite`'s online backup
//! works where the broker has the database open; where it is closed, the files are copied while nothing moves them.

use super::{Store, StoreError, schema::refuse_newer};
use crate::sys::file_version::FileVersion;
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
    ffi,
};
use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File, Metadata},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a copy may take to find a moment in which it can be made.
const PATIENCE: Duration = Duration::from_secs(20);
/// A change that follows another within a tick of the file system's clock shows in no time stamp.
const TICK: Duration = Duration::from_millis(50);

impl Store {
    /// Makes `target`, an empty file, a copy of the database at `source` as it was at one moment, in one file; returns
    /// its schema. The copy has been checked from end to end; bringing it to the disk is the caller's. A schema newer than
    /// ours is refused.
    pub fn back_up(source: &Path, target: &Path) -> Result<i64, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Without an index SQLite would make an empty log before it finds out that it may not make the index.
            let open = beside(source, "-shm").exists() && beside(source, "-wal").exists();
            let done = match open.then(|| online(source, target, deadline)) {
                Some(Err(error)) if !is_readers_lot(&error) => return Err(error),
                Some(Ok(())) => true,
                _ => still(source, target).map_err(StoreError::File)?,
            };
            if done {
                break;
            }
            if Instant::now() > deadline {
                return Err(busy());
            }
            thread::sleep(TICK);
        }
        make_one_file(target)?;
        Self::examine(target)
    }

    /// The schema of a copy that no process writes to, after reading all of it. One that is newer than ours is refused.
    pub fn examine(copy: &Path) -> Result<i64, StoreError> {
        let connection = reader(copy, "immutable=1")?;
        let schema = refuse_newer(&connection)?;
        let fault: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if fault == "ok" { Ok(schema) } else { Err(StoreError::Corrupt(fault)) }
    }

    /// Whose sessions are in a copy that no process writes to, except those that are being destroyed: `user`, or
    /// `user@project`, as they are stored.
    pub fn live_in(copy: &Path) -> Result<Vec<String>, StoreError> {
        let connection = reader(copy, "immutable=1")?;
        if refuse_newer(&connection)? == 0 {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(
            "SELECT user || iif(project = '', '', '@' || project) FROM sessions WHERE state <> 'destroying' ORDER BY 1",
        )?;
        let sessions = statement.query_map([], |row| row.get(0))?;
        Ok(sessions.collect::<Result<_, _>>()?)
    }
}

/// Copies in one step, so that no writer makes it begin again; a write-ahead log lets them write meanwhile.
pub(super) fn online(source: &Path, target: &Path, deadline: Instant) -> Result<(), StoreError> {
    let from = reader(source, "readonly_shm=1")?;
    let mut to = writer(target)?;
    let backup = Backup::new(&from, &mut to)?;
    while backup.step(-1)? != StepResult::Done {
        if Instant::now() > deadline {
            return Err(busy());
        }
        thread::sleep(TICK);
    }
    Ok(())
}

/// A connection that changes nothing at `path`.
fn reader(path: &Path, how: &str) -> Result<Connection, StoreError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            // Writing to a String cannot fail.
            byte => drop(write!(uri, "%{byte:02x}")),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("{uri}?mode=ro&{how}"), flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// A connection to a copy that is worth nothing before it is complete: nothing waits for the disk.
fn writer(copy: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Whether it is only that a reader cannot join in: there is no index because no process has the database open, or none of
/// its places for readers is set where this one would need it, and a reader may not set it.
fn is_readers_lot(error: &StoreError) -> bool {
    let source = match error {
        StoreError::ReadOnly(source) => source.downcast_ref::<rusqlite::Error>(),
        StoreError::Locked(source) | StoreError::Other(source) => Some(source),
        _ => None,
    };
    let code = source.and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::FileLockingProtocolFailed))
}

/// Copies database and write-ahead log as they are; false if a process wrote meanwhile, or may have.
fn still(source: &Path, target: &Path) -> io::Result<bool> {
    let (log, copied_log) = (beside(source, "-wal"), beside(target, "-wal"));
    let look = || -> io::Result<_> { Ok((fs::metadata(source)?, if_there(fs::metadata(&log))?)) };
    let (database, written) = look()?;
    let at_rest = |file: &Metadata| {
        let changed = file.modified().ok();
        changed.and_then(|time| SystemTime::now().duration_since(time).ok()).is_none_or(|age| age > TICK)
    };
    if !at_rest(&database) || !written.as_ref().is_none_or(at_rest) {
        return Ok(false);
    }
    io::copy(&mut File::open(source)?, &mut File::create(target)?)?;
    if_there(fs::remove_file(&copied_log))?;
    if written.is_some() {
        io::copy(&mut File::open(&log)?, &mut File::create_new(&copied_log)?)?;
    }
    let (database_after, written_after) = look()?;
    let versions =
        |database: &Metadata, log: Option<&Metadata>| (FileVersion::from(database), log.map(FileVersion::from));
    Ok(versions(&database, written.as_ref()) == versions(&database_after, written_after.as_ref()))
}

/// Takes what is in the copy's write-ahead log into it; afterwards it is one file, that a reader alone can open.
pub(super) fn make_one_file(copy: &Path) -> Result<(), StoreError> {
    let connection = writer(copy)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" {
        return Err(busy());
    }
    connection.close().map_err(|(_, error)| error)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        if_there(fs::remove_file(beside(copy, suffix))).map_err(StoreError::File)?;
    }
    Ok(())
}

/// What `SQLite` calls a file that belongs to the database at `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

pub(super) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn busy() -> StoreError {
    StoreError::Locked(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None))
}

#[cfg(test)]
mod tests;
