//! Copying a tree whose owner may change it meanwhile, and is not to be believed.
//!
//! Every step is relative to a directory that is open, and follows no link. Links are noted and never made; sockets,
//! fifos and devices are left out and told.

use super::{
    error::{At as _, BackupError},
    files,
    manifest::{Bytes, Entry, EntryPath, Kind, MAX_ENTRIES, Owner},
    write::Copies,
};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, readlinkat, statat},
    io::Errno,
};
use std::{fs::File, io, os::unix::fs::MetadataExt as _, path::Path};

/// Copies what is in `source` into `target`; they are called `path` in the backup and `told` on this host.
pub(super) fn copy(
    copies: &mut Copies,
    source: &File,
    target: &OwnedFd,
    path: &EntryPath,
    told: &Path,
) -> Result<(), BackupError> {
    for name in files::names(source).at("read", told)? {
        let told = told.join(&name);
        if copies.entries.len() >= MAX_ENTRIES {
            return Err(BackupError::Refused(format!("there are more than {MAX_ENTRIES} files in the homes")));
        }
        let result = match path.join(&name) {
            Ok(path) => one(copies, source, target, &path, &told),
            Err(why) => {
                copies.skip(&told, why);
                Ok(())
            }
        };
        match result {
            Err(BackupError::File { source, .. }) if has_changed(&source) => {
                copies.skip(&told, "it changed meanwhile".to_owned());
            }
            result => result?,
        }
    }
    Ok(())
}

/// Whether something went, or became something else, between two looks.
fn has_changed(error: &io::Error) -> bool {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(code) => matches!(code, Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO),
        None => error.kind() == io::ErrorKind::InvalidInput,
    }
}

fn one(copies: &mut Copies, source: &File, target: &OwnedFd, path: &EntryPath, told: &Path) -> Result<(), BackupError> {
    let name = path.file_name();
    let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW).at("read", told)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let directory = File::from(files::directory_at(source, name).at("read", told)?);
            let made = copies.make_directory(target, name, told)?;
            copies.entries.push(entry(path, Kind::Directory, &directory).at("read", told)?);
            copy(copies, &directory, &made, path, told)?;
        }
        FileType::RegularFile => {
            let file = files::regular_at(source, name).at("read", told)?;
            copies.file(file, target, path, told, Owner::number)?;
        }
        FileType::Symlink => match Bytes::new(readlinkat(source, name, Vec::new()).at("read", told)?.into_bytes()) {
            Ok(target) => {
                let owner = Owner { uid: stat.st_uid, gid: stat.st_gid, user: None, group: None };
                let (path, kind) = (path.clone(), Kind::Link { target });
                copies.entries.push(Entry { path, kind, mode: 0o777, owner, modified: stat.st_mtime });
            }
            Err(why) => copies.skip(told, why),
        },
        _ => copies.skip(told, "it is neither a file nor a directory nor a link".to_owned()),
    }
    Ok(())
}

/// The entry of what is open, by its own metadata.
pub(super) fn entry(path: &EntryPath, kind: Kind, open: &File) -> io::Result<Entry> {
    let about = open.metadata()?;
    let (mode, owner) = (about.mode() & 0o7777, Owner::number(&about));
    Ok(Entry { path: path.clone(), kind, mode, owner, modified: about.mtime() })
}
