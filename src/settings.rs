//! The files under `/etc/podspawn`: read together, noticed when they change, never half-applied.
//!
//! What they mean is in `config`; which user gets what is in `policy`.

mod fingerprint;
mod host;
mod live;

pub use crate::config::{FileError, Settings};
pub use host::HostVariables;
pub use live::{Live, Refreshed};

use crate::{
    config::{self, AbsolutePath, Config, MAX_FILE_BYTES, Projects, UserOverrides},
    domain::UserName,
};
use fingerprint::Fingerprint;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where the files are.
pub const ROOT: &str = "/etc/podspawn";

/// Most files in `users/`.
const MAX_USERS: usize = 50_000;

/// Everything that one look at the files found out.
#[derive(Debug)]
pub struct Look {
    /// The settings, or every mistake in every file.
    pub settings: Result<Settings, Vec<FileError>>,
    /// The files that were read, in the order of reading; absent ones are not among them.
    pub files: Vec<PathBuf>,
    fingerprint: Fingerprint,
}

/// The settings under `root`, or every mistake in every file. A file that is absent says nothing, which is the default.
pub fn load(root: &Path) -> Result<Settings, Vec<FileError>> {
    look(root).settings
}

/// As [`load`], with what was looked at.
#[must_use]
pub fn look(root: &Path) -> Look {
    let mut reader = Reader::default();
    let config = reader.parse(&root.join("config.yaml"), Config::parse);
    let projects = config.projects_file.as_ref().map(AbsolutePath::as_path);
    let projects = reader.parse(projects.unwrap_or(&root.join("projects.yaml")), Projects::parse);
    let users = reader.users(&root.join("users"));
    let seccomp = config.security.seccomp_profile.as_ref().and_then(|path| reader.seccomp(path.as_path()));
    let settings = Settings { config, projects, users, seccomp };
    let settings = if reader.mistakes.is_empty() { Ok(settings) } else { Err(reader.mistakes) };
    Look { settings, files: reader.files, fingerprint: reader.seen }
}

/// Reads files and keeps what it saw and what was wrong.
#[derive(Default)]
struct Reader {
    /// Taken before a file is read, so that a change while it is read is noticed the next time.
    seen: Fingerprint,
    mistakes: Vec<FileError>,
    files: Vec<PathBuf>,
}

impl Reader {
    fn parse<T: Default>(&mut self, path: &Path, parse: impl FnOnce(&str) -> Result<T, Vec<config::ConfigError>>) -> T {
        let text = self.text(path);
        self.parsed(path, text, parse)
    }

    fn parsed<T: Default>(
        &mut self,
        path: &Path,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, Vec<config::ConfigError>>,
    ) -> T {
        let Some(text) = text else { return T::default() };
        parse(&text).unwrap_or_else(|errors| {
            self.mistakes.extend(errors.into_iter().map(|error| FileError { path: path.to_owned(), error }));
            T::default()
        })
    }

    /// The text of a file; `None` if it is absent, or unusable, which is then reported.
    fn text(&mut self, path: &Path) -> Option<String> {
        self.seen.see(path);
        self.read_text(path)
    }

    /// As [`Self::text`] for a file whose state is taken down already.
    fn read_text(&mut self, path: &Path) -> Option<String> {
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.mistakes.push(config::unusable(path, &error.to_string()));
                return None;
            }
        };
        self.files.push(path.to_owned());
        config::text_of(path, bytes).map_err(|error| self.mistakes.push(error)).ok()
    }

    fn users(&mut self, directory: &Path) -> BTreeMap<UserName, UserOverrides> {
        self.seen.see(directory);
        let mut users = BTreeMap::new();
        let names = match names(directory) {
            Ok(names) => names,
            Err(error) => {
                self.mistakes.push(config::unusable(directory, &error.to_string()));
                return users;
            }
        };
        for name in names {
            let path = directory.join(&name);
            match name.strip_suffix(".yaml").map(str::parse::<UserName>) {
                Some(Ok(user)) => {
                    self.seen.see_of(&user, &path);
                    let text = self.read_text(&path);
                    let overrides = self.parsed(&path, text, UserOverrides::parse);
                    users.insert(user, overrides);
                }
                Some(Err(invalid)) => self.mistakes.push(config::unusable(&path, &invalid.to_string())),
                None => self.mistakes.push(config::unusable(&path, "a user's file is called <user>.yaml")),
            }
        }
        users
    }

    /// The content of a seccomp profile. The file was named, so it has to be there.
    fn seccomp(&mut self, path: &Path) -> Option<Arc<str>> {
        let before = self.mistakes.len();
        let Some(text) = self.text(path) else {
            if self.mistakes.len() == before {
                self.mistakes.push(config::unusable(path, "no such file; security.seccomp_profile names it"));
            }
            return None;
        };
        if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
            self.mistakes.push(config::unusable(path, &format!("this is not a seccomp profile in JSON: {error}")));
            return None;
        }
        Some(text.into())
    }
}

/// The names in `users/` that are meant: no hidden files, no editor's copies.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !name.ends_with('~') {
            names.push(name);
        }
        if names.len() > MAX_USERS {
            return Err(io::Error::other(format!("more than {MAX_USERS} files")));
        }
    }
    names.sort();
    Ok(names)
}

/// The bytes of a regular file, at most a byte more than a file may have: the parser refuses that with its own words.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    use rustix::fs::{Mode, OFlags, open};
    // Without NONBLOCK, a fifo in its place would hold the login for ever.
    let file = File::from(open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("this is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
