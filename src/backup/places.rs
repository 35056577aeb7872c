//! The paths of the files of a backup on this host.

use super::{
    error::{At as _, BackupError},
    files,
    manifest::{CONFIG, DATABASE, KEYS, PROJECTS, SECCOMP, USERS},
};
use crate::{
    config::{AbsolutePath, Config, ConfigError, MAX_FILE_BYTES, text_of},
    store::Store,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// A copy of the state, while it is searched for sessions.
const SESSIONS: &str = ".restore-sessions";

/// The files and directories that a backup is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `/etc/podspawn`.
    pub etc: PathBuf,
    /// `state.db_path`.
    pub database: PathBuf,
    /// `state.homes_dir`.
    pub homes: PathBuf,
    pub(super) config: PathBuf,
    pub(super) projects: PathBuf,
    pub(super) users: PathBuf,
    pub(super) keys: PathBuf,
    pub(super) seccomp: Option<PathBuf>,
}

impl Places {
    /// The places by a configuration.
    #[must_use]
    pub fn of(etc: &Path, config: &Config) -> Self {
        let path = |path: &AbsolutePath| path.as_path().to_owned();
        Self {
            etc: etc.to_owned(),
            database: path(&config.state.db_path),
            homes: path(&config.state.homes_dir),
            config: etc.join(CONFIG),
            projects: config.projects_file.as_ref().map_or_else(|| etc.join(PROJECTS), path),
            users: etc.join(USERS),
            keys: path(&config.auth.key_dir),
            seccomp: config.security.seccomp_profile.as_ref().map(path),
        }
    }

    /// The places of this host. A configuration with mistakes, which may be the reason for a restore, counts as none.
    pub fn here(etc: &Path) -> Result<Self, BackupError> {
        match configuration(etc) {
            Ok(config) => Ok(Self::of(etc, &config)),
            Err(BackupError::Configuration { .. }) => Ok(Self::of(etc, &Config::default())),
            Err(error) => Err(error),
        }
    }

    /// The sessions in the state of this host, `user` or `user@project`, except those that are being destroyed.
    pub fn live_sessions(&self) -> Result<Vec<String>, BackupError> {
        if !files::exists(&self.database).at("read", &self.database)? {
            return Ok(Vec::new());
        }
        // Not beside the database: that directory is not root's.
        let copy = self.etc.join(SESSIONS);
        let clear =
            || ["", "-wal", "-shm", "-journal"].iter().try_for_each(|end| files::remove(&with_suffix(&copy, end)));
        clear().at("remove", &copy)?;
        let at = files::directory(&self.etc).at("open", &self.etc)?;
        files::create_at(&at, OsStr::new(SESSIONS)).at("make", &copy)?;
        let live = Store::back_up(&self.database, &copy).and_then(|_| Store::live_in(&copy));
        clear().at("remove", &copy)?;
        live.map_err(|source| BackupError::Database { path: self.database.clone(), source })
    }

    /// The directory of the state.
    pub(super) fn state(&self) -> &Path {
        self.database.parent().unwrap_or(Path::new("/"))
    }

    /// Single files of the configuration, each with its name in a backup.
    pub(super) fn single_files(&self) -> Vec<(&'static str, &Path)> {
        let mut files = vec![(CONFIG, self.config.as_path()), (PROJECTS, &self.projects)];
        files.extend(self.seccomp.as_deref().map(|path| (SECCOMP, path)));
        files
    }

    /// Directories of files, likewise.
    pub(super) fn directories(&self) -> [(&'static str, &Path); 2] {
        [(KEYS, &self.keys), (USERS, &self.users)]
    }

    /// All that a restore replaces as one, except homes.
    pub(super) fn all(&self) -> Vec<(&'static str, &Path)> {
        let mut all = vec![(DATABASE, self.database.as_path())];
        all.extend(self.directories());
        all.extend(self.single_files());
        all
    }

    /// Whether `path` is in a directory that is backed up.
    pub(super) fn contain(&self, path: &Path) -> bool {
        let held = self.directories().map(|(_, directory)| directory);
        held.into_iter().chain([self.homes.as_path()]).any(|directory| path.starts_with(directory))
    }
}

/// The configuration in the directory `etc`; where there is none, the default.
pub(super) fn configuration(etc: &Path) -> Result<Config, BackupError> {
    let path = etc.join(CONFIG);
    let bytes = match bounded(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        result => result.at("read", &path)?,
    };
    parsed(&path, bytes)
}

/// The configuration in the bytes of the file at `path`.
pub(super) fn parsed(path: &Path, bytes: Vec<u8>) -> Result<Config, BackupError> {
    let invalid = |errors: &[ConfigError]| {
        let mistakes: Vec<String> = errors.iter().map(ToString::to_string).collect();
        BackupError::Configuration { path: path.to_owned(), mistakes: mistakes.join("; ") }
    };
    let text = text_of(path, bytes).map_err(|error| invalid(&[error.error]))?;
    Config::parse(&text).map_err(|errors| invalid(&errors))
}

/// `path` with `suffix` at the end of its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file: File = files::linked_at(rustix::fs::CWD, path.as_os_str())?;
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
