//! The configuration of a guest.

use super::{dotfiles::Dotfiles, persistent::Persistent};
use std::{ffi::OsString, path::PathBuf};

/// What a guest works with. Tests have values of their own; a container's guest has those of [`super::run`].
#[derive(Debug)]
pub(super) struct GuestConfig {
    /// The container's root directory.
    pub(super) root: PathBuf,
    /// The broker's socket.
    pub(super) socket: PathBuf,
    /// The image's environment.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// The id of the account that is made for a login; `None` in tests and for the first free one.
    pub(super) uid: Option<u32>,
    /// The user's home, if it outlives the container.
    pub(super) home: Option<Persistent>,
    /// What to set up in a fresh home.
    pub(super) dotfiles: Option<Dotfiles>,
    /// Whether every process of the PID namespace is the guest's to reap.
    pub(super) is_init: bool,
}
