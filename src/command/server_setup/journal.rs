//! An undo journal for sshd's files: after a crash they are as before or as intended.
//!
//! The old contents are recorded before the first file changes, and the record is removed once sshd accepted the new
//! ones. A run that was killed leaves its record, and the next one restores the files first. A file that changed in
//! the meantime is left as it is.

use super::sshd_files::Change;
use crate::{
    domain::chain,
    sys::{
        record,
        replace::{self, Replacement},
    },
};
use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The notes, in the directory of `sshd_config`; hidden, so that no `Include` reads them.
const NAME: &str = ".podspawn-setup.journal";
/// Mode of a new configuration file.
const MODE: u32 = 0o644;
/// Largest notes, in bytes: a few configuration files of a megabyte each, in base64.
const MAX_BYTES: u64 = 16 << 20;

/// The old and the new content of one file.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    path: PathBuf,
    /// Base64; `None` is no file.
    old: Option<String>,
    /// SHA-256, in base64.
    new: Option<String>,
}

/// Changes that are made and not yet kept.
#[derive(Debug)]
#[must_use = "changes are kept or undone"]
pub(super) struct Journal {
    path: PathBuf,
    notes: Vec<Note>,
}

impl Journal {
    /// Makes the changes. `beside` is `sshd_config`.
    pub(super) fn apply(beside: &Path, changes: &[Change]) -> anyhow::Result<Self> {
        let notes = changes.iter().map(|change| Note {
            path: change.path.clone(),
            old: change.old.as_ref().map(|text| BASE64_STANDARD.encode(text)),
            new: change.new.as_ref().map(|text| digest(text.as_bytes())),
        });
        let journal = Self { path: path(beside), notes: notes.collect() };
        record::write(&journal.path, &journal.notes).with_context(|| format!("writing {}", journal.path.display()))?;
        match changes.iter().try_for_each(make) {
            Ok(()) => Ok(journal),
            Err(error) => match journal.undo() {
                Ok(_) => Err(error),
                Err(worse) => Err(worse.context(format!("{}; and undoing it failed", chain(error.as_ref())))),
            },
        }
    }

    /// Notes of a run that was killed.
    pub(super) fn left_by_another(beside: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(beside);
        let unusable = || format!("{} is no journal of podspawn's; look at it and remove it", path.display());
        // A user who could write the notes could have any file of the host written.
        let Some(notes) = record::read::<Vec<Note>>(&path, MAX_BYTES).with_context(unusable)? else { return Ok(None) };
        let directory = path.parent().unwrap_or(Path::new("/"));
        let stays = |note: &Note| note.path.starts_with(directory) && !note.path.ends_with("..");
        anyhow::ensure!(notes.iter().all(stays), unusable());
        Ok(Some(Self { path, notes }))
    }

    /// Keeps the changes.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        put(&self.path, None)
    }

    /// Restores every file; returns those that changed in the meantime, which stay as they are.
    pub(super) fn undo(self) -> anyhow::Result<Vec<PathBuf>> {
        let mut foreign = Vec::new();
        // The last first: after each step the files are as before the change that it undoes.
        for note in self.notes.iter().rev() {
            let old = note.old.as_ref().map(|old| BASE64_STANDARD.decode(old)).transpose()?;
            let now = content(&note.path)?;
            // Of a write that did not get as far as its rename.
            let _ = fs::remove_file(replace::temporary(&note.path));
            if now == old {
                continue;
            }
            if now.as_deref().map(digest) == note.new {
                put(&note.path, old.as_deref())?;
            } else {
                foreign.push(note.path.clone());
            }
        }
        put(&self.path, None)?;
        Ok(foreign)
    }
}

fn path(beside: &Path) -> PathBuf {
    beside.with_file_name(NAME)
}

fn digest(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

fn content(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

fn make(change: &Change) -> anyhow::Result<()> {
    // It may have changed since it was read.
    anyhow::ensure!(
        content(&change.path)?.as_deref() == change.old.as_ref().map(String::as_bytes),
        "{} was changed by another process just now",
        change.path.display()
    );
    put(&change.path, change.new.as_ref().map(String::as_bytes))
}

/// Gives `path` that content, or removes it; on the disk when this returns. A replaced file's owner and mode stay.
fn put(path: &Path, content: Option<&[u8]>) -> anyhow::Result<()> {
    match content {
        Some(bytes) => Replacement::new(MODE)
            .inheriting()
            .durable()
            .write(path, bytes)
            .with_context(|| format!("writing {}", path.display())),
        None => replace::remove(path).map(drop).with_context(|| format!("removing {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::Permissions,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            fs::write(files.at("main"), "old").unwrap();
            fs::set_permissions(files.at("main"), Permissions::from_mode(0o600)).unwrap();
            files
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn changes(&self) -> Vec<Change> {
            let change = |name: &str, old: Option<&str>| Change {
                path: self.at(name),
                old: old.map(Into::into),
                new: Some("new".into()),
            };
            vec![change("main", Some("old")), change("drop-in", None)]
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn left(&self) -> Option<Journal> {
            Journal::left_by_another(&self.at("main")).unwrap()
        }
    }

    #[test]
    fn changes_are_kept_with_owner_and_mode_and_leave_nothing_else() {
        let files = Files::new();
        Journal::apply(&files.at("main"), &files.changes()).unwrap().keep().unwrap();
        assert_eq!(files.names(), ["drop-in", "main"]);
        assert_eq!(fs::read(files.at("main")).unwrap(), b"new");
        assert_eq!(fs::metadata(files.at("main")).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(files.at("drop-in")).unwrap().mode() & 0o7777, 0o644);
        assert!(files.left().is_none());
    }

    #[test]
    fn whatever_a_killed_run_did_the_next_one_puts_it_back() {
        let files = Files::new();
        let changes = files.changes();
        // Killed after both, after one, and before any.
        for done in (0..=2).rev() {
            let journal = Journal::apply(&files.at("main"), &changes).unwrap();
            for change in &changes[done..] {
                put(&change.path, change.old.as_ref().map(String::as_bytes)).unwrap();
            }
            drop(journal);
            fs::write(files.at(".main.podspawn-new"), "half").unwrap();
            assert_eq!(files.left().unwrap().undo().unwrap(), Vec::<PathBuf>::new());
            assert_eq!((files.names(), fs::read(files.at("main")).unwrap()), (vec!["main".into()], b"old".to_vec()));
        }
    }

    #[test]
    fn a_file_that_changed_in_the_meantime_stays() {
        let files = Files::new();
        drop(Journal::apply(&files.at("main"), &files.changes()).unwrap());
        fs::write(files.at("main"), "mine").unwrap();
        assert_eq!(files.left().unwrap().undo().unwrap(), [files.at("main")]);
        assert_eq!((files.names(), fs::read(files.at("main")).unwrap()), (vec!["main".into()], b"mine".to_vec()));
        assert!(Journal::apply(&files.at("main"), &files.changes()).is_err());
        assert_eq!(fs::read(files.at("main")).unwrap(), b"mine");
    }

    #[test]
    fn notes_that_another_could_have_written_are_not_followed() {
        let files = Files::new();
        drop(Journal::apply(&files.at("main"), &files.changes()).unwrap());
        let journal = files.at(NAME);
        let text = fs::read_to_string(&journal).unwrap();
        let left = || Journal::left_by_another(&files.at("main")).map(|journal| journal.is_some()).ok();
        assert_eq!(left(), Some(true));
        fs::set_permissions(&journal, Permissions::from_mode(0o622)).unwrap();
        assert_eq!(left(), None);
        fs::set_permissions(&journal, Permissions::from_mode(0o600)).unwrap();
        for other in ["/etc/shadow", "relative"] {
            let drop_in = serde_json::to_string(&files.at("drop-in")).unwrap();
            fs::write(&journal, text.replace(&drop_in, &format!("{other:?}"))).unwrap();
            assert_eq!(left(), None, "{other}");
        }
        fs::write(&journal, "{}").unwrap();
        assert_eq!(left(), None);
    }

    #[test]
    fn a_change_that_cannot_be_made_undoes_those_before_it() {
        let files = Files::new();
        let mut changes = files.changes();
        changes[1].path = files.at("nowhere/drop-in");
        assert!(Journal::apply(&files.at("main"), &changes).is_err());
        assert_eq!((files.names(), fs::read(files.at("main")).unwrap()), (vec!["main".into()], b"old".to_vec()));
    }
}
