//! The lock that keeps backups and a restore apart.

use super::{
    error::{At as _, BackupError},
    files, journal,
    places::Places,
};
use rustix::{fd::OwnedFd, fs::FlockOperation, io::Errno};
use std::{io, path::Path};

/// Keeps backups and a restore apart, as long as it lives.
#[derive(Debug)]
pub struct StateLock {
    _directory: Option<OwnedFd>,
}

impl StateLock {
    /// For a backup, of which there may be several. Refused as well while a restore has not come to its end.
    pub(super) fn shared(places: &Places) -> Result<Self, BackupError> {
        let lock = Self::take(places, FlockOperation::NonBlockingLockShared, "a restore is running")?;
        if journal::is_restore_pending(&places.etc) {
            return Err(BackupError::Pending);
        }
        Ok(lock)
    }

    /// For a restore.
    pub fn exclusive(etc: &Path) -> Result<Self, BackupError> {
        let running = "a backup or another restore is running; try again when it is done";
        Self::take(&Places::here(etc)?, FlockOperation::NonBlockingLockExclusive, running)
    }

    /// Locks the directory of the state, which no other account can open.
    fn take(places: &Places, operation: FlockOperation, refusal: &'static str) -> Result<Self, BackupError> {
        let directory = match files::directory(places.state()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { _directory: None }),
            result => result.at("open", places.state())?,
        };
        match rustix::fs::flock(&directory, operation) {
            Ok(()) => Ok(Self { _directory: Some(directory) }),
            Err(Errno::WOULDBLOCK) => Err(BackupError::Busy(refusal)),
            Err(error) => Err(error).at("lock", places.state()),
        }
    }
}
