//! Why a request fails, and the answer that a client gets for it.

use super::wire::{Answer, Code, Truncated};
use crate::domain::plain;
use rustix::io::Errno;

/// Why a request fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request is no request.
    Malformed,
    /// A handle that does not exist, or of the wrong kind.
    NoHandle,
    /// What is asked for makes no sense.
    Refused,
    /// Nothing more to read.
    EndOfFile,
    /// A request or an extension that this server does not have.
    Unsupported,
    /// The kernel refused.
    System(Errno),
}

impl From<Truncated> for Failure {
    fn from(_: Truncated) -> Self {
        Self::Malformed
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let (code, text) = match failure {
            Failure::Malformed => (Code::BadMessage, "Bad message".into()),
            Failure::NoHandle => (Code::Failure, "No such handle".into()),
            Failure::Refused => (Code::Failure, "Failure".into()),
            Failure::EndOfFile => (Code::EndOfFile, "End of file".into()),
            Failure::Unsupported => (Code::Unsupported, "Operation unsupported".into()),
            Failure::System(error) => (code_of(error), plain(error)),
        };
        Self::Status(code, text)
    }
}

/// The same classes as OpenSSH's server.
fn code_of(error: Errno) -> Code {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::BADF | Errno::LOOP => Code::NoSuchFile,
        Errno::PERM | Errno::ACCESS | Errno::FAULT => Code::PermissionDenied,
        Errno::NAMETOOLONG | Errno::INVAL => Code::BadMessage,
        Errno::NOSYS => Code::Unsupported,
        _ => Code::Failure,
    }
}

/// What a request gives.
pub(super) type Result<T = Answer> = std::result::Result<T, Failure>;
