//! The audit log's queue: a line is here, with the change that it records, before it is in the file.

use super::{Store, StoreError};
use rusqlite::params;

impl Store {
    /// The number of the last line that was ever queued; 0 before the first.
    pub fn last_line(&self) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT coalesce(max(number), 0) FROM audit")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Bytes of all queued lines together.
    pub fn queued_bytes(&self) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT coalesce(sum(octet_length(line)), 0) FROM audit")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Queues a line under a number above all others.
    pub fn queue_line(&self, number: u64, line: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO audit (number, line) VALUES (?, ?)")?
            .execute(params![number, line])?;
        Ok(())
    }

    /// Takes back a line that is not in the file yet.
    pub fn unqueue_line(&self, number: u64) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM audit WHERE number = ?")?.execute([number])?;
        Ok(())
    }

    /// At most `limit` queued lines above the number `after`, in order.
    pub fn queued_lines(&self, after: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, line FROM audit WHERE number > ? AND line IS NOT NULL ORDER BY number LIMIT ?",
        )?;
        let lines = statement.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// Forgets lines up to a number: they are in the file, and safe there.
    pub fn settle_lines(&self, up_to: u64) -> Result<(), StoreError> {
        self.together(|store| {
            let forget = "DELETE FROM audit WHERE number <= ? AND number < (SELECT max(number) FROM audit)";
            store.connection.prepare_cached(forget)?.execute([up_to])?;
            let last = "UPDATE audit SET line = NULL WHERE number <= ? AND line IS NOT NULL";
            store.connection.prepare_cached(last)?.execute([up_to])?;
            Ok(())
        })
    }
}
