//! One session as it is stored.

use super::BadRow;
use crate::domain::{ContainerId, ContainerName, ImageRef, Mode, NetworkId, SessionId, SessionKey, State, Subnet};
use rusqlite::{Row, types::FromSql};
use std::{fmt::Display, str::FromStr};

/// A session that is about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is and for what.
    pub key: SessionKey,
    /// What happens after the last disconnect.
    pub mode: Mode,
    /// What its container is made of.
    pub image: ImageRef,
    /// The name that its container is to get.
    pub container_name: ContainerName,
    /// The addresses that its network is to get.
    pub subnet: Subnet,
    /// The user id that the user is to have inside.
    pub uid: u32,
    /// Unix seconds.
    pub created_at: i64,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is and for what.
    pub key: SessionKey,
    /// Where it is in its life.
    pub state: State,
    /// What happens after the last disconnect.
    pub mode: Mode,
    /// What its container is made of.
    pub image: ImageRef,
    /// The name of its container.
    pub container_name: ContainerName,
    /// Its container, once the engine has given it an id. `None` does not mean that there is none.
    pub container_id: Option<ContainerId>,
    /// Its network, likewise.
    pub network_id: Option<NetworkId>,
    /// The addresses of its network.
    pub subnet: Subnet,
    /// The user id that its container was given; `None` in one from before users had ids of their own.
    pub uid: Option<u32>,
    /// The host's pid of the container's first process, when it was last started.
    pub init_pid: Option<i32>,
    /// The version of the guest protocol that its guest speaks, once it has said so.
    pub protocol: Option<u32>,
    /// Unix seconds.
    pub created_at: i64,
    /// Since when no user is connected, in Unix seconds; exactly in [`State::Grace`].
    pub grace_since: Option<i64>,
}

/// All sessions: those that can be read, and for the others why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllSessions {
    /// Oldest first.
    pub rows: Vec<SessionRow>,
    /// Their containers and subnets are in use all the same.
    pub unreadable: Vec<BadRow>,
}

/// The columns in the order in which [`SessionRow::read`] takes them.
macro_rules! columns {
    () => {
        "id, user, project, state, mode, image, container_name, container_id, network_id, subnet, init_pid, protocol, \
         created_at, grace_since, uid"
    };
}
pub(super) use columns;

impl SessionRow {
    /// Reads a row of [`columns`].
    pub(super) fn read(row: &Row<'_>) -> Result<Self, BadRow> {
        let columns = Columns(row);
        let project: String = columns.raw(2, "project")?;
        let project = if project.is_empty() { None } else { Some(columns.text(2, "project")?) };
        Ok(Self {
            id: columns.text(0, "id")?,
            key: SessionKey { user: columns.text(1, "user")?, project },
            state: columns.text(3, "state")?,
            mode: columns.text(4, "mode")?,
            image: columns.text(5, "image")?,
            container_name: columns.text(6, "container_name")?,
            container_id: columns.maybe_text(7, "container_id")?,
            network_id: columns.maybe_text(8, "network_id")?,
            subnet: columns.text(9, "subnet")?,
            init_pid: columns.raw(10, "init_pid")?,
            protocol: columns.raw(11, "protocol")?,
            created_at: columns.raw(12, "created_at")?,
            grace_since: columns.raw(13, "grace_since")?,
            uid: columns.raw(14, "uid")?,
        })
    }
}

/// A row whose errors know the row and the column.
struct Columns<'a>(&'a Row<'a>);

impl Columns<'_> {
    fn bad(&self, column: &'static str, reason: &impl Display) -> BadRow {
        let id = self.0.get::<_, String>(0).unwrap_or_default();
        BadRow { id: id.chars().take(64).collect(), column, reason: reason.to_string() }
    }

    fn raw<T: FromSql>(&self, index: usize, column: &'static str) -> Result<T, BadRow> {
        self.0.get(index).map_err(|error| self.bad(column, &error))
    }

    fn text<T: FromStr<Err: Display>>(&self, index: usize, column: &'static str) -> Result<T, BadRow> {
        self.raw::<String>(index, column)?.parse().map_err(|error| self.bad(column, &error))
    }

    fn maybe_text<T: FromStr<Err: Display>>(&self, index: usize, column: &'static str) -> Result<Option<T>, BadRow> {
        let text: Option<String> = self.raw(index, column)?;
        text.map(|text| text.parse().map_err(|error| self.bad(column, &error))).transpose()
    }
}
