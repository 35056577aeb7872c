//! Opening the database: permissions, settings, migrations. All of it before anything is read from a table.

use super::{
    Store, StoreError, kept,
    schema::{KNOWN, MIGRATIONS, refuse_newer, schema_of},
};
use crate::sys::crash;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    io::Errno,
};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use tracing::debug;

/// How long a call waits for another process's lock. No other process writes in normal operation; a backup, or a broker
/// that is being replaced, holds it for milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest write-ahead log that is kept, in bytes; a longer one is cut when it is next begun anew.
const MAX_LOG_BYTES: i64 = 4 << 20;
/// Free pages that are kept for the next rows, and how many are given back at a time. A page has 4 KiB.
const SPARE_PAGES: i64 = 64;
const SHRINK_PAGES: i64 = 512;
/// More statements than there are, so that each is prepared once.
const CACHED_STATEMENTS: usize = 32;

impl Store {
    /// Opens the database at `path`, and creates or migrates it if need be.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        private_file(path).map_err(StoreError::from_io)?;
        crash::point("store.file-made");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::prepare(Connection::open_with_flags(path, flags)?, Some(path))?;
        debug!(path = %path.display(), "state database open");
        Ok(store)
    }

    /// An empty database that ends with the process, for tests and for dry runs.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, None)
    }

    fn prepare(mut connection: Connection, path: Option<&Path>) -> Result<Self, StoreError> {
        // First of all, since even finding out the journal mode may meet the lock of another process that recovers.
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Before anything is written: a file that is not ours to change stays as it is.
        refuse_newer(&connection)?;
        let fault: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if fault != "ok" {
            return Err(StoreError::Corrupt(fault));
        }
        // Of a new file; an old one is converted below. It holds for the next table that is made.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        write_ahead(&connection)?;
        connection.pragma_update(None, "journal_size_limit", MAX_LOG_BYTES)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // No function or virtual table runs because a foreign schema says so.
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        migrate(&mut connection, path)?;
        make_shrinkable(&connection);
        Ok(Self { connection })
    }

    /// Gives some of the space of removed rows back to the file system; false if there is more.
    pub fn shrink(&self) -> Result<bool, StoreError> {
        let free: i64 = self.connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free <= SPARE_PAGES {
            return Ok(true);
        }
        // A step of the statement frees one page.
        let mut statement = self.connection.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
        Ok(free - SHRINK_PAGES <= SPARE_PAGES)
    }
}

/// Makes sure that there is a file and that it is its owner's alone. `SQLite` gives its -wal and -shm files the mode of
/// the database, so this settles all three.
///
/// Without opening it: closing any descriptor of a file drops the POSIX locks that the process has on it, and with them
/// those of a connection of another thread.
fn private_file(path: &Path) -> io::Result<()> {
    match mknodat(CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Rewrites a database that cannot shrink, of a former version. Without room for that it stays as it is.
fn make_shrinkable(connection: &Connection) {
    let incremental = connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0)) == Ok(2);
    if !incremental && let Err(error) = connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM") {
        debug!(%error, "rewriting the state database");
    }
}

/// Switches to the write-ahead log. `SQLite` does not wait here for another connection that writes (having read
/// already, it could be one of two that wait for each other), so this is done again until the time is over.
fn write_ahead(connection: &Connection) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error) => match StoreError::from(error) {
                StoreError::Locked(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                error => return Err(error),
            },
        }
    }
}

fn migrate(connection: &mut Connection, path: Option<&Path>) -> Result<(), StoreError> {
    if schema_of(connection)? == KNOWN {
        return Ok(());
    }
    // One transaction for all steps, immediate so that of several processes one migrates and the others see it done.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let found = refuse_newer(&transaction)?;
    // Not of one that was just created. The lock keeps all others from writing while it is copied.
    if let Some(path) = path.filter(|_| (1..KNOWN).contains(&found)) {
        kept::keep(path, found, Instant::now() + BUSY_TIMEOUT)?;
    }
    for (step, number) in MIGRATIONS.iter().zip(1_i64..).skip_while(|(_, number)| *number <= found) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number)?;
        debug!(schema = number, "state database migrated");
    }
    crash::point("store.migrating");
    transaction.commit()?;
    crash::point("store.migrated");
    Ok(())
}
