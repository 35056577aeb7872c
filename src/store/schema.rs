//! The tables, as the steps that make them. A step that was released is never edited: another is added.

use super::StoreError;
use rusqlite::Connection;

/// `MIGRATIONS[n]` leads from schema `n` to `n + 1`; the schema of a file is its `user_version`.
///
/// Ids, keys and subnets are unique here as well as in the code that chooses them, so that a mistake there is an
/// error and never a second container. The state and the time that belongs to it cannot disagree.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE sessions (
        id              TEXT    PRIMARY KEY NOT NULL,
        user            TEXT    NOT NULL,
        project         TEXT    NOT NULL DEFAULT '',
        state           TEXT    NOT NULL CHECK (state IN ('creating', 'running', 'grace', 'destroying')),
        mode            TEXT    NOT NULL,
        image           TEXT    NOT NULL,
        container_name  TEXT    NOT NULL,
        container_id    TEXT,
        network_id      TEXT,
        subnet          TEXT    NOT NULL UNIQUE,
        init_pid        INTEGER,
        protocol        INTEGER,
        created_at      INTEGER NOT NULL,
        grace_since     INTEGER,
        UNIQUE (user, project),
        CHECK ((state = 'grace') = (grace_since IS NOT NULL))
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Open connections, as far as the audit log lacks their end.
    CREATE TABLE connections (
        channel         INTEGER PRIMARY KEY NOT NULL,
        session         TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        kind            TEXT    NOT NULL,
        command         BLOB
    ) STRICT;
    CREATE INDEX connections_of_session ON connections (session);
    -- Lines of the audit log that may not be in the file yet. Of those that are safe only the last number is kept.
    CREATE TABLE audit (
        number          INTEGER PRIMARY KEY NOT NULL,
        line            TEXT
    ) STRICT;
",
    "
    -- The user id that a user has inside containers.
    CREATE TABLE uids (
        user            TEXT    PRIMARY KEY NOT NULL,
        uid             INTEGER NOT NULL UNIQUE
    ) STRICT, WITHOUT ROWID;
    -- What the session's container was given. Containers from before have an id that others share.
    ALTER TABLE sessions ADD COLUMN uid INTEGER;
",
];

/// The schema that this version reads and writes.
#[allow(clippy::cast_possible_wrap)] // a handful
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The schema of a database.
pub(super) fn schema_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The schema of a database that this version can read; an error otherwise.
pub(super) fn refuse_newer(connection: &Connection) -> Result<i64, StoreError> {
    match schema_of(connection)? {
        found if found > KNOWN => Err(StoreError::Newer { found, known: KNOWN }),
        // Never written by us: below the first, or of something else.
        found if found < 0 => Err(StoreError::Corrupt(format!("schema {found}"))),
        found => Ok(found),
    }
}
