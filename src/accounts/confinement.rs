//! Whether anything of an account can run on this host beside sshd's forced command.
//!
//! sshd gives the forced command to the account's shell, and a shell may read start-up files of the home first (bash
//! does so under sshd even for a command). So a podspawn account has one shell, which reads none, and one home, which
//! is root's and empty. What add-user makes, what auth-keys prints keys for, and what doctor and list-users report are
//! decided here.

use super::Account;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The home of a podspawn account: root's, and no user can write to it. `systemd/tmpfiles.d` makes it.
pub const HOME: &str = "/var/empty";
/// The shell of a podspawn account. As `sh`, no shell reads a start-up file for a command.
pub const SHELL: &str = "/bin/sh";
/// The same program where `/bin` is a link.
const SHELLS: [&str; 2] = [SHELL, "/usr/bin/sh"];

/// Whether an account is confined to its container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Confinement {
    /// Nothing of it runs on the host but the forced command.
    Confined,
    /// It is root under another name.
    Root,
    /// Files of this home could run on the host.
    Home(PathBuf),
    /// This shell could read start-up files, or runs no command at all.
    Shell(PathBuf),
}

impl Confinement {
    /// The confinement of `account`.
    pub fn of(account: &Account) -> Self {
        if account.uid == 0 {
            Self::Root
        } else if account.home != Path::new(HOME) {
            Self::Home(account.home.clone())
        } else if !SHELLS.iter().any(|shell| account.shell == Path::new(shell)) {
            Self::Shell(account.shell.clone())
        } else {
            Self::Confined
        }
    }

    /// Whether it is.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        *self == Self::Confined
    }
}

/// The end of a sentence that begins with the account's name.
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confined => f.write_str("is confined to its container"),
            Self::Root => f.write_str("is root"),
            Self::Home(home) => write!(f, "has the home {}, which is not {HOME}", home.display()),
            Self::Shell(shell) => write!(f, "has the shell {}, which is not {SHELL}", shell.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uid: u32, home: &str, shell: &str) -> Confinement {
        Confinement::of(&Account { name: "x".parse().unwrap(), uid, gid: 990, home: home.into(), shell: shell.into() })
    }

    #[test]
    fn an_account_is_confined_by_its_home_and_its_shell_and_nothing_else() {
        assert!(of(1000, "/var/empty", "/bin/sh").is_confined());
        assert!(of(1000, "/var/empty/", "/usr/bin/sh").is_confined());
        for home in ["/home/alice", "/", "/var/empty/alice", "/var/empty/../../home/alice", "/tmp", ""] {
            assert_eq!(of(1000, home, "/bin/sh"), Confinement::Home(home.into()), "{home}");
        }
        for shell in ["/bin/bash", "/usr/sbin/nologin", "/bin/false", "/home/alice/sh", "/bin/sh -l", "sh"] {
            assert_eq!(of(1000, "/var/empty", shell), Confinement::Shell(shell.into()), "{shell}");
        }
        assert_eq!(of(0, "/var/empty", "/bin/sh"), Confinement::Root);
    }

    #[test]
    fn what_is_so_ends_a_sentence() {
        let text = of(1000, "/home/x", "/bin/sh").to_string();
        assert_eq!(text, "has the home /home/x, which is not /var/empty");
        assert_eq!(of(1, "/var/empty", "/bin/zsh").to_string(), "has the shell /bin/zsh, which is not /bin/sh");
    }
}
