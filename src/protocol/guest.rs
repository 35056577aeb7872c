//! The packets between broker, guest and spawn.
//!
//! There are two conversations. Broker and guest share one connection per session ([`FromBroker`], [`FromGuest`]). Each SSH
//! channel has a socket pair of its own, made by the broker, whose ends spawn and guest hold
//! ([`FromSpawn`], [`ToSpawn`]): its data do not pass through the broker.
//!
//! The guest is not trusted: the container's root may own it. No packet names a session: the socket identifies
//! it. An end of file on a channel's socket means that the other side has closed or exited.
//!
//! Variants are only ever added at the end and never changed, because a container keeps the guest that it was
//! created with. The greeting has the version of each side ([`PROTOCOL`]), and no newer packet is sent to it
//! ([`FromBroker::since`], [`FromGuest::since`]). An unknown variant is ignored all the same: closing the connection would
//! only bring the same packet again. Spawn and guest have no greeting, so they use the packets of the first version.

use super::packet::Versioned;
use crate::domain::{ChannelId, Outcome, UserName};
use serde::{Deserialize, Serialize};

/// The version of these packets that this binary speaks; it speaks every lower one as well.
///
/// 1: the first. 2: [`FromBroker::IdleTimeout`], [`FromBroker::End`], [`FromGuest::Idle`]. 3: no packet; the broker of a
/// guest that speaks it records every channel ([`CHANNELS_WRITTEN`]).
pub const PROTOCOL: u32 = 3;

/// Since this version the broker records every channel and ignores unrecorded ones in a greeting. A session that last used
/// an earlier version may have unrecorded channels.
pub const CHANNELS_WRITTEN: u32 = 3;

/// Most environment variables of one channel, and the most bytes of all names and values together. With a command
/// of 128 KiB the packet still fits (`packet::MAX_PACKET_BYTES`).
pub const MAX_ENVIRONMENT: usize = 64;
/// See [`MAX_ENVIRONMENT`].
pub const MAX_ENVIRONMENT_BYTES: usize = 32 * 1024;
/// Longest command, in bytes: what execve(2) takes as one argument, its final NUL included.
pub const MAX_COMMAND_BYTES: usize = 128 * 1024;
/// Most channels of one guest: more than sshd's `MaxSessions` on many connections, and a bound for its memory.
pub const MAX_CHANNELS: usize = 256;

/// Most descriptors of a process in a container. The kernel counts the descriptors that are being sent over Unix sockets
/// for each uid of the host, in whatever container its processes are, and refuses to send more once the count exceeds
/// the *sender's own* limit (unix(7), `ETOOMANYREFS`). The limits of podspawn's
/// other processes must therefore be well above this: the guest's, the broker's (`LimitNOFILE` of its unit), and sshd's.
pub const MAX_OPEN_FILES: u64 = 8192;
/// Most descriptors of the guest, which runs as the same uid 0 as the processes of a container's root. These can have
/// [`MAX_OPEN_FILES`] in flight, and 253 more by each message that several send at one moment.
pub const MAX_GUEST_FILES: u64 = 2 * MAX_OPEN_FILES;

/// Longest notice, in bytes: a few lines of a terminal.
pub const MAX_NOTICE_BYTES: usize = 1024;

/// Where a container sees this binary.
pub const GUEST_BINARY: &str = "/.podspawn/podspawn";
/// Where a container sees its session's socket directory (read-only; connecting does not need write access).
pub const GUEST_SOCKET_DIR: &str = "/.podspawn/run";
/// The name of the socket in that directory. The broker moves it into place when it listens, so that a guest that
/// watches the directory never finds a socket without a listener.
pub const GUEST_SOCKET_NAME: &str = "broker.sock";
/// Where a container has the homes of accounts that the guest makes, and a persistent one.
pub const HOMES: &str = "/home";
/// The guest's option when its user's home below [`HOMES`] is a mount that outlives the container. Not a packet: it is
/// so from the container's first moment to its last.
pub const PERSISTENT_HOME: &str = "--persistent-home";
/// Likewise: the user id of the account that the guest makes, behind a `=`.
pub const UID: &str = "--uid";
/// Likewise: the repository to clone into a fresh home, and the command to run in the clone, each behind a `=`.
pub const DOTFILES: &str = "--dotfiles";
/// See [`DOTFILES`].
pub const INSTALL: &str = "--install";

/// The account that processes run as inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The login name, the same as on the host.
    pub name: UserName,
    /// The shell to prefer when the account has to be created; the guest falls back to what the image has.
    pub shell: String,
}

/// The program of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// The user's login shell.
    Shell,
    /// This string, given byte for byte to the user's shell with `-c`.
    Command(Vec<u8>),
    /// An SFTP server on stdin and stdout.
    Sftp,
}

/// A request for a process on a channel; the channel's socket rides along as the only descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The connection's identity in later packets.
    pub channel: ChannelId,
    /// The account that runs the program.
    pub login: Login,
    /// The program to run.
    pub program: Program,
    /// Variables that the client sent or sshd set, already filtered by the broker.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Broker to guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromBroker {
    /// The answer to [`FromGuest::Hello`]: the lower of both protocol versions.
    Welcome {
        /// The version that both will speak.
        protocol: u32,
    },
    /// Start a process on a new channel. One descriptor: the channel's socket.
    Open(Open),
    /// Hang up one channel, or all of them, as if the client had gone.
    Close {
        /// The channel; `None` is all channels.
        channel: Option<ChannelId>,
    },
    /// Show a line on the terminal of every client that has one.
    Notice {
        /// One line, at most [`MAX_NOTICE_BYTES`].
        text: String,
    },
    /// Report when nothing was sent or received for this long ([`FromGuest::Idle`]). Valid until the next such packet, also
    /// across a restart of the broker.
    IdleTimeout {
        /// 0 is never.
        seconds: u64,
    },
    /// Hang up all channels, and show each client the reason.
    End {
        /// One line, at most [`MAX_NOTICE_BYTES`].
        text: String,
    },
}

impl FromBroker {
    /// The first version that knows this packet.
    #[must_use]
    pub const fn since(&self) -> u32 {
        match self {
            Self::Welcome { .. } | Self::Open(_) | Self::Close { .. } | Self::Notice { .. } => 1,
            Self::IdleTimeout { .. } | Self::End { .. } => 2,
        }
    }
}

impl Versioned for FromBroker {
    const VARIANTS: u32 = 6;
}

/// Guest to broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGuest {
    /// The first packet of every connection.
    Hello {
        /// The highest version that the guest speaks.
        protocol: u32,
        /// The guest's release, for logs; at most 64 bytes are read.
        release: String,
        /// The channels that are open, from before a broker's restart; at most [`MAX_CHANNELS`].
        channels: Vec<ChannelId>,
    },
    /// The channel is over: its process ended, or its client went away.
    Closed {
        /// The channel.
        channel: ChannelId,
        /// How the process ended; `None` if the client went first or the process never began.
        outcome: Option<Outcome>,
    },
    /// Nothing was sent or received on any channel for at least as long as [`FromBroker::IdleTimeout`] said. Repeated
    /// while that is so.
    Idle {
        /// The duration so far.
        seconds: u64,
    },
}

impl FromGuest {
    /// The first version that knows this packet.
    #[must_use]
    pub const fn since(&self) -> u32 {
        match self {
            Self::Hello { .. } | Self::Closed { .. } => 1,
            Self::Idle { .. } => 2,
        }
    }
}

impl Versioned for FromGuest {
    const VARIANTS: u32 = 3;
}

/// A terminal as spawn found it: sshd's pty, as the client asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Height, in characters.
    pub rows: u16,
    /// Width, in characters.
    pub columns: u16,
    /// Width, in pixels; 0 if unknown.
    pub x_pixels: u16,
    /// Height, in pixels; 0 if unknown.
    pub y_pixels: u16,
    /// Modes as sshd set them from the client's request; the guest sets the same.
    pub modes: TerminalModes,
}

/// `struct termios` of Linux. The speed is in `c_cflag`, as the kernel has it there; guests of older releases ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalModes {
    /// `c_iflag`.
    pub input: u32,
    /// `c_oflag`.
    pub output: u32,
    /// `c_cflag`.
    pub control: u32,
    /// `c_lflag`.
    pub local: u32,
    /// `c_cc`, the first 19 (the kernel's NCCS).
    pub characters: [u8; 19],
}

/// Spawn to guest, on the channel's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSpawn {
    /// Begin. Without a terminal three descriptors ride along: stdin, stdout, stderr.
    Start {
        /// Whether the client has a terminal, and how it is set.
        terminal: Option<Terminal>,
        /// Whether the client forwards its SSH agent.
        agent: bool,
    },
    /// Deliver a signal to the process group; only signals that a terminal could send are delivered.
    Signal(u8),
}

impl Versioned for FromSpawn {
    const VARIANTS: u32 = 2;
}

/// Guest to spawn, on the channel's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSpawn {
    /// The process runs on this terminal. One descriptor: the master of the pty.
    Master,
    /// The process runs on the descriptors that it was given.
    Started,
    /// A process connected to the agent's socket. One descriptor: the accepted connection.
    Agent,
    /// The process ended; nothing follows.
    Ended(Outcome),
    /// The process could not be started, or the broker has ended the connection; the text is for the user. Nothing
    /// follows.
    Failed(String),
    /// There is no such program, and no shell to say so; the text is for the user. Nothing follows.
    NotFound(String),
    /// A notice of the broker, to show on the terminal.
    Notice(String),
}

impl Versioned for ToSpawn {
    const VARIANTS: u32 = 7;
}
