//! What is intended: one row per session, in `SQLite`, written before the engine is asked for anything.
//!
//! Rows in, domain types out. The broker is the only writer. Nothing here decides or asks the engine, and nothing
//! here reads a clock: times are Unix seconds of the caller's.
//!
//! A commit is in the kernel before a call returns, so it survives whatever kills the broker. It is not on the disk
//! then (`synchronous=NORMAL` syncs at checkpoints only): after a power cut the last rows may be missing, but so are
//! all the running containers that they spoke of, and what those left is found by its labels.

mod audit;
mod backup;
mod connections;
mod error;
mod kept;
mod open;
mod row;
mod schema;
mod sessions;
mod uids;

pub use connections::OpenConnection;
pub use error::{BadRow, StoreError, Unique};
pub use row::{AllSessions, NewSession, SessionRow};

/// The open database. Calls are synchronous: each is one statement on a table of at most a few thousand rows.
#[derive(Debug)]
pub struct Store {
    connection: rusqlite::Connection,
}

impl Store {
    /// Does several things or none of them.
    pub fn together<T>(&self, work: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let done = work(self)?;
        transaction.commit()?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
