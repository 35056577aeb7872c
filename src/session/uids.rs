//! The user id that a user has inside every container, and that no other user and no account of the host has.

use super::AttachError;
use crate::{
    accounts::AccountError,
    domain::{UidRange, UserName},
    store::Store,
    sys::crash,
};
use std::{collections::BTreeSet, io};

/// Users whose ids are taken back at once, when none is left.
const RELEASE_AT_ONCE: usize = 64;

/// See [`HostAccounts::allot`].
pub(super) type Allot =
    fn(current: Option<u32>, range: UidRange, taken: BTreeSet<u32>) -> Result<Option<u32>, AccountError>;

/// Access to the accounts of this host. Each call blocks.
#[derive(Debug, Clone, Copy)]
pub struct HostAccounts {
    /// The user's present id if it is still good, else the least of a range that no account of the host and none of
    /// the set has; see [`crate::accounts::uids::allot`].
    pub allot: Allot,
    /// The meaning of an id in the host's own files, as words that follow "is"; `None` if it is unused or unknown.
    pub holder: fn(u32) -> Option<String>,
    /// Whether the host has an account of this name.
    pub has: fn(&UserName) -> Result<bool, AccountError>,
}

/// The id of `user`, allotted at the first container and kept. Only for a container that is about to be made: it
/// looks at the host's accounts, and gives another id where an account of the host has got the user's.
pub(super) async fn allot(
    store: &Store,
    user: &UserName,
    range: UidRange,
    host: HostAccounts,
) -> Result<u32, AttachError> {
    let mut has_released = false;
    loop {
        let current = store.uid(user)?;
        let taken = store.taken_uids()?;
        match blocking(move || (host.allot)(current, range, taken)).await? {
            Some(uid) if Some(uid) == current => return Ok(uid),
            // Another user may have got it meanwhile; then the next is looked for.
            Some(uid) => {
                if store.allot_uid(user, uid)? {
                    crash::point("attach.uid-allotted");
                    return Ok(uid);
                }
            }
            None if has_released => return Err(AttachError::NoUid(range)),
            None => {
                release(store, host).await?;
                has_released = true;
            }
        }
    }
}

/// Takes ids back from users that the host has no longer, some of them.
async fn release(store: &Store, host: HostAccounts) -> Result<(), AttachError> {
    let users = store.users_without_session()?;
    let gone = blocking(move || {
        let mut gone = Vec::new();
        for user in users {
            if gone.len() == RELEASE_AT_ONCE {
                break;
            }
            if !(host.has)(&user)? {
                gone.push(user);
            }
        }
        Ok(gone)
    });
    for user in gone.await? {
        store.release_uid(&user)?;
    }
    Ok(())
}

/// Runs a look-up that may wait for a directory server in a thread, where it delays no other login.
async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, AttachError> {
    let result = tokio::task::spawn_blocking(look).await;
    result
        .map_err(|error| AttachError::Files("cannot look at the host's accounts", io::Error::other(error)))?
        .map_err(AttachError::Accounts)
}
