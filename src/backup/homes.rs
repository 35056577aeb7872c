//! Copies homes, which hostile owners may change meanwhile.
//!
//! Every step is relative to a directory that is open, and follows no link. Links are noted and never made; sockets,
//! fifos and devices are left out and listed. A home is in the backup as a whole or not at all, but for files that
//! cannot be read or are larger than a home may be; files that are left out are listed, in the manifest too.

use super::{
    budget::HomeLimits,
    copies::{Copies, entry},
    error::{At as _, BackupError},
    files,
    manifest::{Bytes, Entry, EntryPath, HOMES, Kind, Owner},
    places::Places,
};
use crate::domain::{Size, UserName};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, readlinkat, statat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::Path,
};

/// Copies every home into the backup `into`, which is at `partial`.
pub(super) fn all(
    copies: &mut Copies,
    places: &Places,
    limits: HomeLimits,
    into: &OwnedFd,
    partial: &Path,
) -> Result<(), BackupError> {
    let source = match files::directory(&places.homes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result.at("read", &places.homes)?,
    };
    let path = EntryPath::known(HOMES);
    let target = copies.make_directory(into, OsStr::new(HOMES), &places.homes)?;
    let open = File::from(source);
    copies.add(entry(&path, Kind::Directory, &open).at("read", &places.homes)?).at("copy", &places.homes)?;
    for name in files::names(&open).at("read", &places.homes)? {
        let shown = places.homes.join(&name);
        let is_user = name.to_str().is_some_and(|name| name.parse::<UserName>().is_ok());
        let home = match files::directory_at(&open, &name) {
            Ok(home) if is_user => File::from(home),
            _ => {
                copies.skip(&shown, "it is no user's home".to_owned());
                continue;
            }
        };
        let path = path.join(&name).map_err(|source| BackupError::Name { path: shown.clone(), source })?;
        let (entries, bytes) = (copies.entries.len(), copies.bytes);
        copies.budget.begin(limits);
        let done = whole(copies, &home, &target, &path, &shown);
        let over = copies.budget.over().map(str::to_owned);
        copies.budget.end(done.is_ok());
        if let Err(error) = done {
            copies.leave_out(&shown, over.unwrap_or_else(|| reason(&error)));
            copies.entries.truncate(entries);
            copies.bytes = bytes;
            let left = partial.join(HOMES).join(&name);
            files::remove(&left).at("remove", &left)?;
        }
    }
    Ok(())
}

/// Copies one home.
fn whole(
    copies: &mut Copies,
    home: &File,
    target: &OwnedFd,
    path: &EntryPath,
    shown: &Path,
) -> Result<(), BackupError> {
    let made = copies.make_directory(target, path.file_name(), shown)?;
    copies.add(entry(path, Kind::Directory, home).at("read", shown)?).at("copy", shown)?;
    copy(copies, home, &made, path, shown)
}

/// Copies the files of `source` into `target`; their paths are `path` in the backup and `shown` on this host.
fn copy(
    copies: &mut Copies,
    source: &File,
    target: &OwnedFd,
    path: &EntryPath,
    shown: &Path,
) -> Result<(), BackupError> {
    for name in names(copies, source).at("read", shown)? {
        let shown = shown.join(&name);
        // Directories cost time as well.
        copies.budget.take_bytes(0).at("copy", &shown)?;
        let result = match path.join(&name) {
            Ok(path) => one(copies, source, target, &path, &shown),
            Err(why) => {
                copies.leave_out(&shown, why.to_string());
                Ok(())
            }
        };
        match result {
            // The whole home is left out; others may fit.
            Err(error) if copies.budget.over().is_some() || is_of_the_target(&error) => return Err(error),
            Err(BackupError::File { source, .. }) if has_changed(&source) => {
                copies.skip(&shown, "it changed meanwhile".to_owned());
            }
            Err(error) => copies.leave_out(&shown, reason(&error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn names(copies: &mut Copies, directory: &File) -> io::Result<Vec<OsString>> {
    let left = copies.budget.entries_left(copies.entries.len());
    files::names_at_most(directory, left)?.ok_or_else(|| copies.budget.refuse_entries())
}

/// The reason without the path, which stands beside it.
fn reason(error: &BackupError) -> String {
    match error {
        BackupError::File { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// Whether the backup's own disk takes no more.
fn is_of_the_target(error: &BackupError) -> bool {
    let BackupError::File { source, .. } = error else { return false };
    let code = source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::NOSPC | Errno::DQUOT | Errno::ROFS | Errno::MFILE | Errno::NFILE))
}

/// Whether something went, or became something else, between two looks.
fn has_changed(error: &io::Error) -> bool {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(code) => matches!(code, Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO),
        None => error.kind() == io::ErrorKind::InvalidInput,
    }
}

fn one(
    copies: &mut Copies,
    source: &File,
    target: &OwnedFd,
    path: &EntryPath,
    shown: &Path,
) -> Result<(), BackupError> {
    let name = path.file_name();
    let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW).at("read", shown)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let directory = File::from(files::directory_at(source, name).at("read", shown)?);
            let entry = entry(path, Kind::Directory, &directory).at("read", shown)?;
            let made = copies.make_directory(target, name, shown)?;
            copies.add(entry).at("copy", shown)?;
            copy(copies, &directory, &made, path, shown)?;
        }
        FileType::RegularFile => {
            let file = files::regular_at(source, name).at("read", shown)?;
            let size = file.metadata().at("read", shown)?.len();
            match copies.budget.largest().filter(|largest| size > largest.as_bytes()) {
                Some(largest) => copies.leave_out(shown, too_large(size, largest)),
                None => copies.file(file, target, path, shown, Owner::number)?,
            }
        }
        FileType::Symlink => match Bytes::new(readlinkat(source, name, Vec::new()).at("read", shown)?.into_bytes()) {
            Ok(target) => {
                let owner = Owner { uid: stat.st_uid, gid: stat.st_gid, user: None, group: None };
                let (path, kind) = (path.clone(), Kind::Link { target });
                copies.add(Entry { path, kind, mode: 0o777, owner, modified: stat.st_mtime }).at("copy", shown)?;
            }
            Err(why) => copies.skip(shown, why.to_string()),
        },
        _ => copies.skip(shown, "it is neither a file nor a directory nor a link".to_owned()),
    }
    Ok(())
}

fn too_large(size: u64, largest: Size) -> String {
    format!("it has {size} bytes with its holes, more than {largest} (--home-size)")
}
