//! Texts of the files that nothing but a configuration needs: paths, repositories, capabilities.

use std::{
    fmt,
    path::{Component, Path},
    str::FromStr,
};

/// The reason against a text: one line that quotes at most the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

impl Wrong {
    pub(super) fn new(text: &str, what_is_right: &str) -> Self {
        Self(format!("{} is not {what_is_right}", quote(text)))
    }
}

/// `text` quoted and shortened.
pub(super) fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// Conversions of a validated text.
macro_rules! text_value {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

/// An absolute path without `..`, as text of at most `PATH_MAX` bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(Box<str>);
text_value!(AbsolutePath);

impl AbsolutePath {
    /// As a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }
}

impl AsRef<Path> for AbsolutePath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl FromStr for AbsolutePath {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let path = Path::new(text);
        let valid = path.is_absolute()
            && text.len() < 4096
            && !text.contains(char::is_control)
            && path.components().all(|part| !matches!(part, Component::ParentDir));
        if valid { Ok(Self(text.into())) } else { Err(Wrong::new(text, "an absolute path without \"..\"")) }
    }
}

/// The path of a login shell: an absolute path, and no program that ends every login.
///
/// Only a container can show whether the image has it; `podspawn verify-image` and the login report that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginShell(AbsolutePath);

/// Programs that are the shell of accounts without logins.
const NO_SHELLS: [&str; 7] = ["nologin", "false", "true", "sync", "halt", "shutdown", "reboot"];

impl AsRef<str> for LoginShell {
    fn as_ref(&self) -> &str {
        self.0.as_ref()
    }
}

impl fmt::Display for LoginShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LoginShell {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let path: AbsolutePath =
            text.parse().map_err(|_| Wrong::new(text, "the absolute path of a shell, such as /bin/bash"))?;
        let name = path.as_path().file_name().unwrap_or_default();
        if name.is_empty() || text.ends_with('/') || NO_SHELLS.iter().any(|other| name == *other) {
            let right = "a shell that runs logins; to keep a user out: podspawn remove-user";
            return Err(Wrong::new(text, right));
        }
        Ok(Self(path))
    }
}

/// A git repository: a URL or git's `user@host:path`. Never an option, and none of git's transports that run a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(Box<str>);
text_value!(Repository);

impl FromStr for Repository {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let clean = text.len() <= 2048 && !text.contains(|c: char| c.is_control() || c.is_whitespace());
        // What begins with `-` would be an option, of git or of ssh.
        let plain = |name: &str| name.starts_with(|c: char| c.is_ascii_alphanumeric() || "[_".contains(c));
        let safe = |authority: &str| plain(authority) && authority.split('@').all(plain);
        let valid = clean
            && match text.split_once("://") {
                Some(("file", path)) => path.starts_with('/'),
                Some(("https" | "http" | "ssh" | "git", rest)) => rest.split('/').next().is_some_and(safe),
                Some(_) => false,
                None if text.starts_with('/') => true,
                // Two colons are a remote helper: `ext::sh -c …`.
                None => text.split_once(':').is_some_and(|(authority, path)| {
                    safe(authority) && !authority.contains('/') && !path.is_empty() && !path.starts_with(':')
                }),
            };
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(Wrong::new(text, "a git repository such as https://example.org/team/backend.git or git@host:path"))
        }
    }
}

/// A git branch, by the rules of git-check-ref-format(1) and free of what a shell would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch(Box<str>);
text_value!(Branch);

impl FromStr for Branch {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let valid = (1..=255).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/+@#".contains(c))
            && !text.starts_with('-')
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            // git's rule is about exactly this ending; `.LOCK` is a branch like any other.
            && text.split('/').all(|part| {
                !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.strip_suffix(".lock").is_none()
            });
        if valid { Ok(Self(text.into())) } else { Err(Wrong::new(text, "a branch such as main or feature/login")) }
    }
}

/// A command line that runs inside a container: one line, at most 1024 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(Box<str>);
text_value!(CommandLine);

impl FromStr for CommandLine {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let valid = (1..=1024).contains(&text.len()) && !text.contains(char::is_control);
        if valid { Ok(Self(text.into())) } else { Err(Wrong::new(text, "one line of at most 1024 bytes")) }
    }
}

/// The engine's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineHost(AbsolutePath);

impl EngineHost {
    /// Where the engine listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.0.as_path()
    }
}

impl fmt::Display for EngineHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0)
    }
}

impl FromStr for EngineHost {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        text.strip_prefix("unix://")
            .and_then(|path| path.parse().ok())
            .map(Self)
            .ok_or_else(|| Wrong::new(text, "the engine's socket: unix:// and an absolute path"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_and_stays_where_it_says() {
        for bad in ["", "etc", "./etc", "/a/../b", "/a\nb", "/a\0"] {
            assert!(bad.parse::<AbsolutePath>().is_err(), "{bad:?}");
        }
        assert_eq!("/bin/bash".parse::<AbsolutePath>().unwrap().as_path(), Path::new("/bin/bash"));
    }

    #[test]
    fn a_login_shell_is_an_absolute_path_and_runs_logins() {
        for bad in
            ["", "bash", "./bash", "/", "/bin/", "/bin/false", "/usr/sbin/nologin", "/bin/../bin/sh", "/bin/sh\n"]
        {
            assert!(bad.parse::<LoginShell>().is_err(), "{bad:?}");
        }
        for good in ["/bin/bash", "/usr/bin/zsh", "/nix/store/x-fish/bin/fish", "/opt/falsehood"] {
            assert_eq!(good.parse::<LoginShell>().unwrap().as_ref(), good);
        }
        let message = "/bin/false".parse::<LoginShell>().unwrap_err().to_string();
        assert_eq!(message, "\"/bin/false\" is not a shell that runs logins; to keep a user out: podspawn remove-user");
    }

    #[test]
    fn a_repository_is_never_an_option_or_a_command() {
        for bad in [
            "",
            "-u",
            "--upload-pack=x",
            "ext::sh -c id",
            "ext::sh",
            "http::https://host/x",
            "https://-oProxyCommand=x/y",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-oProxyCommand=x/y",
            "git@-x:y",
            "file://etc",
            "data:x/y\n",
            "ftp://host/x",
            "../x",
            "name",
            "a/b:c",
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?}");
        }
        for good in [
            "https://example.org/a.git",
            "https://bot@example.org:8443/a.git",
            "git@example.org:team/a.git",
            "ssh://git@[::1]/a",
            "/srv/a.git",
            "file:///srv/a",
        ] {
            assert!(good.parse::<Repository>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_branch_is_what_git_would_take() {
        for bad in ["", "-d", "a..b", "a b", "/a", "a/", "a//b", "x.lock", ".a", "a@{0}", "a~1", "$(id)"] {
            assert!(bad.parse::<Branch>().is_err(), "{bad:?}");
        }
        for good in ["main", "feature/login", "v1.2", "user@host"] {
            good.parse::<Branch>().unwrap();
        }
    }

    #[test]
    fn an_engine_is_a_local_socket() {
        assert_eq!("unix:///run/x.sock".parse::<EngineHost>().unwrap().socket(), Path::new("/run/x.sock"));
        for bad in ["tcp://host:2375", "/var/run/docker.sock", "unix://run/x", "ssh://host"] {
            assert!(bad.parse::<EngineHost>().is_err(), "{bad:?}");
        }
    }
}
