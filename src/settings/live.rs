//! Settings that follow the files and fall back to the last good ones.

use super::{FileError, Look, Settings, look};
use crate::domain::UserName;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a look at the files brought.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing that matters changed since the last look, good or bad.
    Unchanged,
    /// The files changed and the new settings hold.
    Reloaded,
    /// The files changed and are wrong; the settings are what they were. Reported once, until the files change again.
    Kept(Vec<FileError>),
}

/// The settings as they are, and what is wrong with newer ones.
#[derive(Debug)]
pub struct Live {
    root: PathBuf,
    look: super::Fingerprint,
    current: Arc<Settings>,
    problems: Vec<FileError>,
}

impl Live {
    /// Reads the files under `root`; without good ones there is nothing to fall back to.
    pub fn open(root: &Path) -> Result<Self, Vec<FileError>> {
        let Look { settings, fingerprint, .. } = look(root);
        Ok(Self { root: root.to_owned(), look: fingerprint, current: Arc::new(settings?), problems: Vec::new() })
    }

    /// The last good settings.
    #[must_use]
    pub fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current)
    }

    /// What is wrong with the files as they are now; empty if they are what [`Self::current`] says.
    #[must_use]
    pub fn problems(&self) -> &[FileError] {
        &self.problems
    }

    /// Looks whether any file changed and reads them all if so. A stat for each file when none did.
    pub fn refresh(&mut self) -> Refreshed {
        if self.look.holds() { Refreshed::Unchanged } else { self.read_again() }
    }

    /// The same for the files that concern `user`: a handful of stats, cheap enough for every login.
    pub fn refresh_for(&mut self, user: &UserName) -> Refreshed {
        if self.look.holds_for(user) { Refreshed::Unchanged } else { self.read_again() }
    }

    fn read_again(&mut self) -> Refreshed {
        let Look { settings, fingerprint, .. } = look(&self.root);
        self.look = fingerprint;
        match settings {
            // A swap file of an editor in `users/`, a `touch`: nothing to report.
            Ok(settings) if settings == *self.current && self.problems.is_empty() => Refreshed::Unchanged,
            Ok(settings) => {
                self.current = Arc::new(settings);
                self.problems.clear();
                Refreshed::Reloaded
            }
            Err(problems) => {
                self.problems.clone_from(&problems);
                Refreshed::Kept(problems)
            }
        }
    }
}
