//! Removes surplus backups, and the remains of backups that were never completed.

use super::{
    BackupName,
    error::{At as _, BackupError},
    files,
    manifest::{MANIFEST, Manifest},
};
use rustix::{
    fs::{CWD, FlockOperation, RenameFlags, renameat_with},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The part of a manifest that names its kind.
const HEAD_BYTES: u64 = 4096;

/// Removes the remains of runs that were killed; a backup that another run is writing stays.
pub(super) fn remove_partial(directory: &Path) -> Result<(), BackupError> {
    for name in names(directory)? {
        if BackupName::of_partial(Path::new(&name)).is_none() {
            continue;
        }
        let path = directory.join(&name);
        let open = files::directory(directory).and_then(|at| files::directory_at(at, OsStr::new(&name)));
        // Another user's, or no directory: not ours.
        let Ok(open) = open else { continue };
        match rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => files::remove(&path).at("remove", &path)?,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error).at("lock", &path),
        }
    }
    Ok(())
}

/// Removes all backups but the newest `keep`, oldest first.
pub(super) fn prune(directory: &Path, keep: u32) -> Result<Vec<PathBuf>, BackupError> {
    let mut backups: Vec<BackupName> = names(directory)?.iter().filter_map(|name| name.parse().ok()).collect();
    backups.retain(|name| is_complete(&directory.join(name.as_ref())));
    backups.sort();
    let surplus = backups.len().saturating_sub(keep as usize);
    let mut removed = Vec::new();
    for name in backups.into_iter().take(surplus) {
        let path = directory.join(name.as_ref());
        remove_named(directory, &path, &name)?;
        removed.push(path);
    }
    Ok(removed)
}

/// Removes one backup.
pub(super) fn remove(directory: &Path, path: &Path) -> Result<(), BackupError> {
    let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok());
    name.map_or(Ok(()), |name| remove_named(directory, path, &name))
}

fn remove_named(directory: &Path, path: &Path, name: &BackupName) -> Result<(), BackupError> {
    let partial = directory.join(name.partial());
    // Once the first file is removed it is no backup any more.
    renameat_with(CWD, path, CWD, &partial, RenameFlags::NOREPLACE).at("remove", path)?;
    files::remove(&partial).at("remove", &partial)
}

/// Names that are text; no other is ours.
fn names(directory: &Path) -> Result<Vec<String>, BackupError> {
    let entries = fs::read_dir(directory).at("read", directory)?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Whether it is a directory, and none but ours, with a manifest of ours.
fn is_complete(path: &Path) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let open = files::directory(parent).and_then(|at| files::directory_at(at, name));
    let manifest = open.and_then(|open| files::regular_at(open, OsStr::new(MANIFEST)));
    let mut head = Vec::new();
    let read = manifest.and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && Manifest::is_ours(&head)
}
