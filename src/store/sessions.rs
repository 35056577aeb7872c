//! The statements on the table of sessions.

use super::{AllSessions, NewSession, SessionRow, Store, StoreError, Unique, row::columns};
use crate::domain::{
    ContainerId, ContainerName, Mode, NetworkId, Pool, SessionId, SessionKey, State, Subnet, UserName,
};
use rusqlite::{ErrorCode, Params, params};
use std::collections::HashSet;

impl Store {
    /// Writes down a session that is about to be created, in state [`State::Creating`].
    pub fn insert(&self, new: &NewSession) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO sessions (id, user, project, state, mode, image, container_name, subnet, created_at, uid)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let row = params![
            new.id.as_ref(),
            new.key.user.as_ref(),
            project(&new.key),
            State::Creating.as_str(),
            new.mode.as_str(),
            new.image.as_ref(),
            new.container_name.as_ref(),
            new.subnet.to_string(),
            new.created_at,
            new.uid,
        ];
        statement.execute(row).map(drop).map_err(taken)
    }

    /// The lowest subnet of `pool` that no session and nothing in `avoid` overlaps, or `None` if there is none.
    ///
    /// It is not reserved before a row with it is inserted.
    pub fn allot_subnet(&self, pool: Pool, avoid: &HashSet<Subnet>) -> Result<Option<Subnet>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT subnet FROM sessions")?;
        let mut taken: HashSet<Subnet> = avoid.clone();
        for text in statement.query_map([], |row| row.get::<_, String>(0))? {
            // One that does not parse is not usable anyway; `all` reports the row.
            taken.extend(text?.parse::<Subnet>().ok());
        }
        // Those of the pool's own size either are the candidate or leave it alone, so looking them up is enough: 4096
        // sessions would otherwise take millions of comparisons. Others come from another tool or another setting.
        let size = pool.subnets().next().map(Subnet::prefix);
        let others: Vec<Subnet> = taken.iter().copied().filter(|subnet| Some(subnet.prefix()) != size).collect();
        let free = |subnet: &Subnet| !taken.contains(subnet) && !others.iter().any(|other| other.overlaps(*subnet));
        Ok(pool.subnets().find(free))
    }

    /// Notes another name for the container, where the first was taken.
    pub fn set_name(&self, id: &SessionId, name: &ContainerName) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET container_name = ?2 WHERE id = ?1", params![id.as_ref(), name.as_ref()])
    }

    /// Notes another subnet, where the engine has a network of its own in the first. [`StoreError::Taken`] as for
    /// [`Self::insert`].
    pub fn set_subnet(&self, id: &SessionId, subnet: Subnet) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET subnet = ?2 WHERE id = ?1", params![id.as_ref(), subnet.to_string()])
    }

    /// Notes the container as soon as the engine has given it an id.
    pub fn set_container(&self, id: &SessionId, container: &ContainerId) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET container_id = ?2 WHERE id = ?1", params![id.as_ref(), container.as_ref()])
    }

    /// Notes the network as soon as the engine has given it an id.
    pub fn set_network(&self, id: &SessionId, network: &NetworkId) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET network_id = ?2 WHERE id = ?1", params![id.as_ref(), network.as_ref()])
    }

    /// Notes that the container runs, and its first process.
    pub fn set_running(&self, id: &SessionId, init_pid: i32) -> Result<(), StoreError> {
        self.update(
            id,
            "UPDATE sessions SET state = ?2, init_pid = ?3, grace_since = NULL WHERE id = ?1",
            params![id.as_ref(), State::Running.as_str(), init_pid],
        )
    }

    /// Notes another mode, as it is configured now.
    pub fn set_mode(&self, id: &SessionId, mode: Mode) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET mode = ?2 WHERE id = ?1", params![id.as_ref(), mode.as_str()])
    }

    /// Notes the version of the protocol that the guest speaks.
    pub fn set_protocol(&self, id: &SessionId, version: u32) -> Result<(), StoreError> {
        self.update(id, "UPDATE sessions SET protocol = ?2 WHERE id = ?1", params![id.as_ref(), version])
    }

    /// Notes the state of the session. [`Self::set_grace`] notes the grace period, with its beginning.
    pub fn set_state(&self, id: &SessionId, state: State) -> Result<(), StoreError> {
        self.update(
            id,
            "UPDATE sessions SET state = ?2, grace_since = NULL WHERE id = ?1",
            params![id.as_ref(), state.as_str()],
        )
    }

    /// Notes that no user is connected, and since when (Unix seconds).
    pub fn set_grace(&self, id: &SessionId, since: i64) -> Result<(), StoreError> {
        self.update(
            id,
            "UPDATE sessions SET state = ?2, grace_since = ?3 WHERE id = ?1",
            params![id.as_ref(), State::Grace.as_str(), since],
        )
    }

    /// Forgets a session; one that is forgotten already is fine.
    pub fn delete(&self, id: &SessionId) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM sessions WHERE id = ?")?.execute([id.as_ref()])?;
        Ok(())
    }

    /// The session with this id.
    pub fn get(&self, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        self.one(concat!("SELECT ", columns!(), " FROM sessions WHERE id = ?"), [id.as_ref()])
    }

    /// The session of this user and project.
    pub fn find(&self, key: &SessionKey) -> Result<Option<SessionRow>, StoreError> {
        let sql = concat!("SELECT ", columns!(), " FROM sessions WHERE user = ? AND project = ?");
        self.one(sql, [key.user.as_ref(), project(key)])
    }

    /// Every session, oldest first. Rows that cannot be read do not hide the others.
    pub fn all(&self) -> Result<AllSessions, StoreError> {
        let sql = concat!("SELECT ", columns!(), " FROM sessions ORDER BY created_at, id");
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut all = AllSessions::default();
        while let Some(row) = rows.next()? {
            match SessionRow::read(row) {
                Ok(row) => all.rows.push(row),
                Err(bad) => all.unreadable.push(bad),
            }
        }
        Ok(all)
    }

    /// How many sessions there are, in any state.
    pub fn count(&self) -> Result<u32, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM sessions")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// How many sessions a user has, in any state.
    pub fn count_user(&self, user: &UserName) -> Result<u32, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM sessions WHERE user = ?")?;
        Ok(statement.query_row([user.as_ref()], |row| row.get(0))?)
    }

    fn one(&self, sql: &str, values: impl Params) -> Result<Option<SessionRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        rows.next()?.map(|row| SessionRow::read(row).map_err(StoreError::from)).transpose()
    }

    fn update(&self, id: &SessionId, sql: &str, values: impl Params) -> Result<(), StoreError> {
        match self.connection.prepare_cached(sql)?.execute(values).map_err(taken)? {
            0 => Err(StoreError::NoSuchSession(id.clone())),
            _ => Ok(()),
        }
    }
}

/// The project as it is stored: a UNIQUE constraint takes every NULL for another, so none is the empty text.
fn project(key: &SessionKey) -> &str {
    key.project.as_ref().map_or("", AsRef::as_ref)
}

/// Which constraint a statement broke. `SQLite` says it in its text alone, which names the columns.
fn taken(error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
        let text = error.to_string();
        let broken = [("sessions.subnet", Unique::Subnet), ("sessions.user", Unique::Key), ("sessions.id", Unique::Id)];
        if let Some((_, unique)) = broken.into_iter().find(|(column, _)| text.contains(column)) {
            return StoreError::Taken(unique);
        }
    }
    error.into()
}
