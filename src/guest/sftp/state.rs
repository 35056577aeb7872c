//! What the server keeps for its client between requests.

use super::{
    failure::{Failure, Result},
    handles::{Handle, Handles, Opened},
    listing::Names,
};
use std::{
    ffi::OsString,
    os::fd::{AsFd as _, BorrowedFd},
};

/// The open handles, the names of accounts, and the account that the server runs as.
pub(super) struct State {
    pub(super) handles: Handles,
    pub(super) names: Names,
    pub(super) home: OsString,
    pub(super) user: OsString,
}

impl State {
    pub(super) fn new(user: OsString, home: OsString) -> Self {
        Self { handles: Handles::default(), names: Names::read(), home, user }
    }

    /// The open file of a handle.
    pub(super) fn file(&mut self, handle: &[u8]) -> Result<&Opened> {
        match self.handles.get(handle) {
            Some(Handle::File(file)) => Ok(file),
            _ => Err(Failure::NoHandle),
        }
    }

    /// The descriptor of a handle.
    pub(super) fn fd(&mut self, handle: &[u8]) -> Result<BorrowedFd<'_>> {
        Ok(self.file(handle)?.file.as_fd())
    }
}
