//! The statements on the table of connections. The guest is the truth about who is connected; what is here is only
//! what the audit log has still to tell.

use super::{Store, StoreError};
use crate::domain::{ChannelId, SessionId};
use rusqlite::{OptionalExtension as _, params};

/// What runs on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// `shell`, `command` or `sftp`.
    pub kind: String,
    /// The command.
    pub command: Option<Vec<u8>>,
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

    /// What runs on a connection, if it is one that was written down.
    pub fn connection(&self, channel: ChannelId) -> Result<Option<OpenConnection>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT kind, command FROM connections WHERE channel = ?")?;
        let read = |row: &rusqlite::Row<'_>| Ok(OpenConnection { kind: row.get(0)?, command: row.get(1)? });
        Ok(statement.query_row([column(channel)], read).optional()?)
    }

    /// The connections of a session that were written down.
    pub fn connections(&self, session: &SessionId) -> Result<Vec<ChannelId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT channel FROM connections WHERE session = ?")?;
        let channels = statement.query_map([session.as_ref()], |row| row.get::<_, i64>(0))?;
        Ok(channels.map(|channel| channel.map(|bits| ChannelId(bits.cast_unsigned()))).collect::<Result<_, _>>()?)
    }

    /// Forgets a connection; one that is forgotten already is fine.
    pub fn close_connection(&self, channel: ChannelId) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM connections WHERE channel = ?")?.execute([column(channel)])?;
        Ok(())
    }
}

/// `SQLite` knows no unsigned numbers: the same bits.
fn column(channel: ChannelId) -> i64 {
    channel.0.cast_signed()
}
