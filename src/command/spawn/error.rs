//! Failures of a session, each with the line that the user sees.

use crate::{
    client::CallError,
    protocol::{guest::MAX_COMMAND_BYTES, packet::PacketError, stream::NoStream},
    sys::passing,
};
use rustix::io::Errno;
use std::io;

/// Why a session has no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    /// The command cannot be a process's argument.
    #[error("the command is longer than the {MAX_COMMAND_BYTES} bytes that a process takes")]
    CommandTooLong,
    /// A stream of this process cannot be one of a process in the container.
    #[error(transparent)]
    Stream(#[from] NoStream),
    /// The broker gave no channel.
    #[error("{line}", line = advised(.0))]
    Call(#[from] CallError),
    /// The broker's reply has no channel.
    #[error("the podspawn broker answered without a channel")]
    NoChannel,
    /// The first packet cannot be encoded.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The first packet cannot be sent.
    #[error("cannot reach the container: {reason}", reason = passing::in_words(*.0))]
    Send(Errno),
    /// Signals cannot be received.
    #[error("cannot read signals: {0}")]
    Signals(#[source] io::Error),
    /// sshd's terminal does not report its modes.
    #[error("cannot read the terminal's modes: {0}")]
    TerminalModes(#[source] io::Error),
    /// A terminal cannot be prepared for copying.
    #[error("cannot prepare the terminal: {0}")]
    Terminal(#[source] io::Error),
    /// The null device, which replaces the streams, cannot be opened.
    #[error("cannot open /dev/null: {0}")]
    NullDevice(Errno),
    /// The descriptors cannot be waited for.
    #[error("poll: {0}")]
    Poll(Errno),
    /// sshd has closed its side.
    #[error("the connection is gone")]
    Disconnected,
    /// The guest has closed the channel without a packet: the container's first process has ended.
    #[error("the container is gone: it was stopped, removed or ran out of memory")]
    Gone,
    /// The broker's reason for [`Self::Gone`].
    #[error("{0}")]
    Ended(String),
    /// The guest could not start the process.
    #[error("{0}")]
    NotStarted(String),
    /// The guest sent a packet that it may not send.
    #[error("the container sent something unexpected")]
    Unexpected,
    /// The guest sent a terminal to a session without one.
    #[error("the container sent a terminal that was not requested")]
    UnrequestedTerminal,
    /// The guest sent a descriptor that is no terminal, or a second terminal.
    #[error("the container sent something that is no terminal")]
    NoTerminal,
}

/// The line about a failed call, with what to do next if there is a remedy.
fn advised(error: &CallError) -> String {
    match error {
        CallError::Unreachable(_) | CallError::Broken(_) => {
            format!("{error}; ask the administrator to look at `systemctl status podspawn-broker.socket`")
        }
        CallError::TimedOut(_) => format!("{error}; try again, then ask the administrator"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_advice_fits_the_failure() {
        let line = |error: CallError| SpawnError::from(error).to_string();
        let unreachable = line(CallError::Unreachable(io::ErrorKind::NotFound.into()));
        assert!(unreachable.ends_with("`systemctl status podspawn-broker.socket`"), "{unreachable}");
        assert!(
            line(CallError::TimedOut(Duration::from_secs(20))).ends_with("; try again, then ask the administrator")
        );
        assert!(!line(CallError::TooLarge).contains("systemctl"));
        assert_eq!(line(CallError::Denied("project x does not exist".into())), "project x does not exist");
    }
}
