//! The user id that each user has inside containers.

use super::{Store, StoreError};
use crate::domain::UserName;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeSet;

impl Store {
    /// The id that was allotted to `user`.
    pub fn uid(&self, user: &UserName) -> Result<Option<u32>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT uid FROM uids WHERE user = ?")?;
        Ok(statement.query_row([user.as_ref()], |row| row.get(0)).optional()?)
    }

    /// Allots `uid` to `user`, in place of what the user had. False if another user has it.
    pub fn allot_uid(&self, user: &UserName, uid: u32) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO uids (user, uid) SELECT ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM uids WHERE uid = ?2 AND user <> ?1) \
             ON CONFLICT (user) DO UPDATE SET uid = excluded.uid",
        )?;
        Ok(statement.execute(params![user.as_ref(), uid])? > 0)
    }

    /// Every id that is allotted, and those that sessions still have from before they were allotted anew.
    pub fn taken_uids(&self) -> Result<BTreeSet<u32>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT uid FROM uids UNION SELECT uid FROM sessions WHERE uid IS NOT NULL")?;
        let uids = statement.query_map([], |row| row.get(0))?;
        Ok(uids.collect::<Result<_, _>>()?)
    }

    /// Users with an id and without a session, by name. A name that is none is left out.
    pub fn users_without_session(&self) -> Result<Vec<UserName>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT user FROM uids WHERE user NOT IN (SELECT user FROM sessions) ORDER BY user")?;
        let users = statement.query_map([], |row| row.get::<_, String>(0))?;
        Ok(users.filter_map(|user| user.map(|user| user.parse().ok()).transpose()).collect::<Result<_, _>>()?)
    }

    /// Takes a user's id back, unless the user has a session.
    pub fn release_uid(&self, user: &UserName) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM uids WHERE user = ?1 AND user NOT IN (SELECT user FROM sessions)")?
            .execute([user.as_ref()])?;
        Ok(())
    }

    /// Users and their ids, by id.
    pub fn uids(&self) -> Result<Vec<(String, u32)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT user, uid FROM uids ORDER BY uid")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
