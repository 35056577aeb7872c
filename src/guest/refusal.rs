//! Why a request ends with a line of text instead of a process.

use super::{login::LoginError, packets, process::StartError};
use crate::{
    protocol::{guest::ToSpawn, stream::NoStream},
    sys::passing,
};
use rustix::io::Errno;
use std::{ffi::OsString, io, os::fd::AsFd};

/// Why a request ends with a line of text instead of a process.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this container has too many connections")]
    TooManyChannels,
    #[error("this container is being stopped")]
    Stopping,
    #[error("the command or its environment is too long, or has a NUL in it")]
    Malformed,
    #[error("this image has no shell; give a command to run it directly")]
    NoShell,
    #[error("this image has no shell, and no program {}", .0.display())]
    NoProgram(OsString),
    #[error("cannot allocate a terminal: {0}")]
    Terminal(io::Error),
    #[error("this container has as many terminals as it may have at once; close some: `ls /dev/pts` lists them")]
    NoTerminalHere,
    #[error(
        "no terminal is left on the server; ask the administrator to raise kernel.pty.max, as `podspawn doctor` says"
    )]
    NoTerminal,
    #[error(transparent)]
    Stream(#[from] NoStream),
    #[error("this container has no /dev/null: {0}")]
    Null(io::Error),
    #[error("cannot hand the terminal over: {}", passing::in_words(*.0))]
    HandOver(Errno),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Refusal {
    pub(super) fn send(&self, socket: impl AsFd) {
        // There is room, see MAX_UNREAD; and a peer that is gone needs no answer.
        let answer = match self {
            Self::NoProgram(_) => ToSpawn::NotFound(self.to_string()),
            _ => ToSpawn::Failed(self.to_string()),
        };
        let _ = packets::send(socket, &answer, &[]);
    }
}
