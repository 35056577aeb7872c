//! The descriptors that a container's process may get as standard input, output or error.
//!
//! A descriptor gives more than the bytes that pass through it. A process that holds one can open its file again
//! (`/proc/self/fd`), with another mode; change the owner, the mode and the attributes of its inode; walk from a
//! directory to every other one; and ask a socket about the network namespace that it was made in. A process in a
//! container that held a descriptor of the host could do all that to the host, with a uid that another account of the
//! host or its root has.
//!
//! So a stream is one of two things:
//!
//! - an anonymous pipe, which is what sshd connects a command by. Its inode is in no file system that anything is
//!   mounted from. To open it again gives the other end of the same pipe; its owner and its mode decide who may do so,
//!   and only processes of the same container that see the descriptor can. The kernel counts its size for the uid that made it.
//! - the null device. The guest opens the container's own in its place: the mode of the host's `/dev/null` could be
//!   changed through the one that came.
//!
//! Not a stream, though bytes go through it:
//!
//! - a named pipe: its inode is in a file system of the host, where the container's root could give it away;
//! - a terminal: what runs on in the container would read what is typed at it later. Spawn moves the bytes of the
//!   terminal that sshd allocates, and hands none over;
//! - a socket: it belongs to the host's network namespace, whose interfaces it lists, and a process with `CAP_NET_ADMIN` in any
//!   container can configure them; unconnected, it reaches the abstract sockets there.

use std::fmt;

/// The names of a process's streams, by descriptor.
pub const NAMES: [&str; 3] = ["standard input", "standard output", "standard error"];

/// What a descriptor is, as far as that decides whether it can be a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One end of an anonymous pipe.
    Pipe,
    /// The null device, from whatever file system.
    Null,
    /// A FIFO in a file system.
    NamedPipe,
    /// A directory.
    Directory,
    /// A regular file; also a memfd, a namespace or a pidfd, which the kernel shows as one.
    File,
    /// A terminal.
    Terminal,
    /// A socket of any family and type.
    Socket,
    /// Another character device, or a block device.
    Device,
    /// A descriptor that names a file without opening it (`O_PATH`), whatever the file is.
    Name,
    /// Something without a file, such as an eventfd, an epoll or an inotify instance.
    Other,
}

impl Kind {
    /// Whether a container's process may get it.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Pipe | Self::Null)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipe => "a pipe",
            Self::Null => "/dev/null",
            Self::NamedPipe => "a named pipe",
            Self::Directory => "a directory",
            Self::File => "a file",
            Self::Terminal => "a terminal",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Name => "an O_PATH descriptor",
            Self::Other => "no stream",
        })
    }
}

/// A stream that a container does not get; the text is for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is {kind}; connect it by a pipe: a container gets pipes and /dev/null only", NAMES[*index])]
pub struct NoStream {
    index: usize,
    kind: Kind,
}

/// Checks the three streams of a process.
///
/// # Errors
///
/// The first that is none.
pub fn check(kinds: [Kind; 3]) -> Result<(), NoStream> {
    match kinds.into_iter().enumerate().find(|(_, kind)| !kind.is_stream()) {
        Some((index, kind)) => Err(NoStream { index, kind }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stream_that_is_none_is_named_with_what_it_is() {
        assert_eq!(check([Kind::Null, Kind::Pipe, Kind::Pipe]), Ok(()));
        let refused = check([Kind::Pipe, Kind::Directory, Kind::File]).unwrap_err().to_string();
        let expected =
            "standard output is a directory; connect it by a pipe: a container gets pipes and /dev/null only";
        assert_eq!(refused, expected);
    }
}
