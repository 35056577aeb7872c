//! An account as every source gives it, and why there may be none.

use crate::domain::UserName;
use std::{io, path::PathBuf, time::Duration};

/// The longest that one source is waited for. A directory server that takes longer fails the login rather than hold
/// it: sshd's own `LoginGraceTime` is not ours to spend.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// An account of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: UserName,
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No source that answered knows it, or its name is none that podspawn can carry: it is not a podspawn user.
    #[error("no such account or group on this host")]
    Unknown,
    /// A source that may know it did not answer, so nothing was found out. Trying again may help.
    #[error("the account database does not answer")]
    Unavailable(#[source] io::Error),
}

/// The answer of one source.
pub(super) type Answer<T> = Result<Option<T>, io::Error>;
