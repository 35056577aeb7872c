//! The host's sshd: its version, its answers about a configuration, and the place of podspawn's block in one.
//!
//! This module decides nothing. It runs sshd and reads files as sshd reads them.

pub mod block;
mod effective;
pub mod greeting;
mod main_file;
pub mod order;
pub mod pattern;
mod probe;
pub mod serving;

pub use effective::Effective;
pub use main_file::{CONFIG, CONFIG_DIR, Include, MainFile};
pub use probe::{ADDRESSES, Connection, ELSEWHERE};

use crate::sys::{child::Finished, program};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// sshd's message without the directory that its service makes at its start. Only root's sshd needs it.
const NO_DIRECTORY: &str = "Missing privilege separation directory";
/// How long one question may take: sshd reads some files, and on a busy machine waits for a processor.
const DEADLINE: Duration = Duration::from_secs(30);

/// Why sshd has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SshdError {
    /// The host has no sshd where one would be.
    #[error("there is no sshd on this host; install it (Debian: apt-get install openssh-server)")]
    Missing,
    /// It could not be run.
    #[error("running {}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not accept the configuration; the text is sshd's own.
    #[error("sshd says: {0}")]
    Refused(String),
    /// It does not print its version.
    #[error("sshd does not say which version it is: {0}")]
    NoVersion(String),
}

/// The remedy for an error of sshd's that podspawn's block causes.
#[must_use]
pub fn hint(said: &str) -> Option<&'static str> {
    let is_any = said.contains("\"any\" must appear alone");
    is_any.then_some("remove AuthenticationMethods any; it is the default, and sshd takes it behind no other value")
}

/// A version of OpenSSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The sshd of this host.
#[derive(Debug, Clone)]
pub struct Sshd {
    program: PathBuf,
}

impl Sshd {
    /// The sshd at `program`, or the host's own.
    pub fn find(program: Option<&Path>) -> Result<Self, SshdError> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => program::find("sshd").ok_or(SshdError::Missing)?,
        };
        Ok(Self { program })
    }

    /// Which OpenSSH it is.
    pub fn version(&self) -> Result<Version, SshdError> {
        // Before 9.2 sshd knows no -V, and prints its version with the error.
        let done = self.run(&["-V"])?;
        let said = format!("{}{}", done.err, done.out);
        version(&said).ok_or_else(|| SshdError::NoVersion(done.complaint()))
    }

    /// Whether sshd accepts the configuration `config` with everything that it includes.
    pub fn test(&self, config: &Path) -> Result<(), SshdError> {
        let done = self.run(&["-t", "-f", &config.to_string_lossy()])?;
        // sshd prints deprecated options as well; they are no reason to refuse.
        if done.succeeded() { Ok(()) } else { Err(SshdError::Refused(done.complaint())) }
    }

    /// The options of `config` for `connection`.
    pub fn effective(&self, config: &Path, connection: &Connection) -> Result<Effective, SshdError> {
        let specification = connection.specification();
        let done = self.run(&["-T", "-f", &config.to_string_lossy(), "-C", &specification])?;
        if done.succeeded() { Ok(Effective::parse(&done.out)) } else { Err(SshdError::Refused(done.complaint())) }
    }

    /// Asks sshd. Where its socket waits for a first connection, the directory of its service does not exist, and root is
    /// refused any answer: then it is asked as an account that reads everything, and nothing is made for it.
    fn run(&self, arguments: &[&str]) -> Result<Finished, SshdError> {
        let done = program::run(&self.program, arguments, b"", DEADLINE)
            .map_err(|source| SshdError::Run { program: self.program.clone(), source })?;
        if done.succeeded() || !done.err.contains(NO_DIRECTORY) {
            return Ok(done);
        }
        Ok(program::run_reading(&self.program, arguments, DEADLINE).unwrap_or(done))
    }
}

fn version(text: &str) -> Option<Version> {
    let rest = &text[text.find("OpenSSH_")? + "OpenSSH_".len()..];
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_any_sshd_prints() {
        assert_eq!(version("OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026"), Some(Version(9, 2)));
        let old = "unknown option -- V\nOpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w\nusage: sshd";
        assert_eq!(version(old), Some(Version(8, 4)));
        assert_eq!(version("OpenSSH_for_Windows"), None);
        assert!(Version(10, 0) > Version(9, 9) && Version(8, 4) < Version(8, 8));
    }
}
