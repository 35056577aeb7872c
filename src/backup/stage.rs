//! Lays restored files out beside those that they replace, with owner and mode, and checks each copy once more.

use super::{
    Backup, BackupError,
    error::{At as _, Fault},
    files,
    manifest::{Entry, EntryPath, Kind},
};
use crate::{accounts::Accounts, sys::ids};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Gid, Mode, Uid, chownat, fchmod, fchown, futimens, symlinkat},
};
use std::{collections::BTreeMap, ffi::OsStr, io, os::unix::fs::MetadataExt as _, path::Path};

/// Copies a file, or a directory with all its files, to `stage`; returns its inode. It is on the disk then.
pub(super) fn stage(backup: &Backup, path: &EntryPath, stage: &Path) -> Result<u64, BackupError> {
    let (Some(parent), Some(name), Some(entry)) = (stage.parent(), stage.file_name(), backup.entry(path)) else {
        return Err(BackupError::Irreplaceable { path: stage.to_owned(), why: "cannot be restored".to_owned() });
    };
    let at = files::directory(parent).at("open", parent)?;
    let mut inside: BTreeMap<EntryPath, Vec<&Entry>> = BTreeMap::new();
    for entry in backup.manifest.entries.iter().filter(|entry| entry.path.is_below(path)) {
        inside.entry(entry.path.parent().unwrap_or_else(|| path.clone())).or_default().push(entry);
    }
    let source = match path.parent() {
        Some(parent) => files::directory_at(&backup.directory, parent.file_name()).at("open", backup.path())?,
        None => backup.directory.try_clone().at("open", backup.path())?,
    };
    let stager = Stager { backup, inside, accounts: Accounts::new() };
    stager.one(entry, &source, &at, name, stage)?;
    files::sync_all(&at).at("write", stage)?;
    Ok(stage.symlink_metadata().at("read", stage)?.ino())
}

/// The mode of a restored file: without set-id bits, which a container could have set.
pub(super) fn mode(entry: &Entry) -> u32 {
    match entry.kind {
        Kind::Directory => entry.mode & 0o3777,
        _ => entry.mode & 0o1777,
    }
}

struct Stager<'a> {
    backup: &'a Backup,
    /// The entries of each directory.
    inside: BTreeMap<EntryPath, Vec<&'a Entry>>,
    accounts: Accounts,
}

impl Stager<'_> {
    /// Copies `entry` from the directory `source`, where it has its own name, to `name` in `target`.
    fn one(
        &self,
        entry: &Entry,
        source: &OwnedFd,
        target: &OwnedFd,
        name: &OsStr,
        shown: &Path,
    ) -> Result<(), BackupError> {
        let original = entry.path.file_name();
        match &entry.kind {
            Kind::File { size, sha256 } => {
                let mut file = files::regular_at(source, original).at("read", &entry.path.under(self.backup.path()))?;
                let mut copied = files::create_at(target, name).at("make", shown)?;
                let found = files::copy(&mut file, Some(&mut copied), size.saturating_add(1)).at("copy", shown)?;
                // It was verified a moment ago, but it may have changed since: the copy counts.
                if found != (*size, *sha256) {
                    let path = self.backup.path().to_owned();
                    return Err(BackupError::Altered { path, fault: Fault::Changed(entry.path.to_string()) });
                }
                self.finish(entry, &copied).at("make", shown)
            }
            Kind::Directory => {
                let source = files::directory_at(source, original).at("read", &entry.path.under(self.backup.path()))?;
                let copied = files::make_directory_at(target, name).at("make", shown)?;
                for inner in self.inside.get(&entry.path).into_iter().flatten() {
                    let name = inner.path.file_name();
                    self.one(inner, &source, &copied, name, &shown.join(name))?;
                }
                self.finish(entry, &copied).at("make", shown)
            }
            Kind::Link { target: to } => {
                symlinkat(to.as_os_str(), target, name).at("make", shown)?;
                let (uid, gid) = self.owner(entry);
                chownat(target, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).at("make", shown)
            }
        }
    }

    fn owner(&self, entry: &Entry) -> (Option<Uid>, Option<Gid>) {
        let (uid, gid) = entry.owner.here(&self.accounts);
        (ids::uid(uid), ids::gid(gid))
    }

    /// Sets owner, mode and time. The owner first, since a change of owner clears bits of the mode.
    fn finish(&self, entry: &Entry, file: impl AsFd) -> io::Result<()> {
        let (uid, gid) = self.owner(entry);
        fchown(&file, uid, gid)?;
        fchmod(&file, Mode::from_raw_mode(mode(entry)))?;
        futimens(&file, &files::times(entry.modified))?;
        Ok(())
    }
}
