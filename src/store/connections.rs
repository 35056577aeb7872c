//! The statements on the table of connections: which ones the broker has opened, and what the audit log still lacks
//! of them. A guest that greets again can name no other; that they are still open only the guest knows.

use super::{Store, StoreError};
use crate::domain::{ChannelId, SessionId};
use rusqlite::{OptionalExtension as _, params};

/// The kind of a connection that began while nothing was audited.
const UNAUDITED: &str = "unaudited";

/// What runs on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// `shell`, `command` or `sftp`; `unaudited` where the audit log does not know of it.
    pub kind: String,
    /// The command.
    pub command: Option<Vec<u8>>,
}

impl OpenConnection {
    /// One that the audit log leaves out.
    #[must_use]
    pub fn unaudited() -> Self {
        Self { kind: UNAUDITED.to_owned(), command: None }
    }

    /// Whether the audit log knows that it began.
    #[must_use]
    pub fn is_audited(&self) -> bool {
        self.kind != UNAUDITED
    }
}

impl Store {
    /// Writes down a connection that is about to be made.
    pub fn open_connection(
        &self,
        channel: ChannelId,
        session: &SessionId,
        connection: &OpenConnection,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO connections (channel, session, kind, command) VALUES (?, ?, ?, ?)")?
            .execute(params![column(channel), session.as_ref(), connection.kind, connection.command])?;
        Ok(())
    }

    /// What runs on a connection, if it is one of this session that was written down.
    pub fn connection(&self, channel: ChannelId, session: &SessionId) -> Result<Option<OpenConnection>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT kind, command FROM connections WHERE channel = ? AND session = ?")?;
        let read = |row: &rusqlite::Row<'_>| Ok(OpenConnection { kind: row.get(0)?, command: row.get(1)? });
        Ok(statement.query_row(params![column(channel), session.as_ref()], read).optional()?)
    }

    /// The connections of a session that were written down.
    pub fn connections(&self, session: &SessionId) -> Result<Vec<ChannelId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT channel FROM connections WHERE session = ?")?;
        let channels = statement.query_map([session.as_ref()], |row| row.get::<_, i64>(0))?;
        Ok(channels.map(|channel| channel.map(|bits| ChannelId(bits.cast_unsigned()))).collect::<Result<_, _>>()?)
    }

    /// Forgets a connection of this session; one that is forgotten already is fine.
    pub fn close_connection(&self, channel: ChannelId, session: &SessionId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM connections WHERE channel = ? AND session = ?")?
            .execute(params![column(channel), session.as_ref()])?;
        Ok(())
    }
}

/// `SQLite` knows no unsigned numbers: the same bits.
fn column(channel: ChannelId) -> i64 {
    channel.0.cast_signed()
}
