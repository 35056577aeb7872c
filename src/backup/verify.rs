//! Verifies a backup: reads all of it and compares it with the manifest.

use super::{
    error::{At as _, BackupError, Fault},
    files,
    manifest::{
        CONFIG, DATABASE, Entry, EntryPath, Kind, LeftOut, MANIFEST, MANIFEST_SUM, MAX_MANIFEST_BYTES, Manifest, Sum,
    },
};
use crate::{domain::text::one_line, store::Store};
use rustix::fd::{AsFd, OwnedFd};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// A backup that has been read from end to end.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    pub(super) directory: OwnedFd,
    pub(super) manifest: Manifest,
}

impl Backup {
    /// Reads the backup in the directory `path`: the manifest, every file that it names, and that there is no other.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let directory = files::directory(path).at("open", path)?;
        let altered = |fault| BackupError::Altered { path: path.to_owned(), fault };
        let manifest = manifest(&directory).map_err(altered)?;
        let mut expected = manifest.by_path();
        // Links are in the manifest alone.
        expected.retain(|_, entry| !matches!(entry.kind, Kind::Link { .. }));
        check_names(&directory, None, &mut expected).map_err(altered)?;
        if let Some(missing) = expected.keys().next() {
            return Err(altered(Fault::Missing(missing.to_string())));
        }
        if let Some(schema) = manifest.schema {
            let database = path.join(DATABASE);
            let found = Store::examine(&database).map_err(|source| BackupError::Database { path: database, source })?;
            if found != schema {
                return Err(altered(Fault::Schema { found, stated: schema }));
            }
        }
        Ok(Self { path: path.to_owned(), directory, manifest })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When, where and by which version it was made.
    #[must_use]
    pub fn origin(&self) -> String {
        let Manifest { created, host, podspawn, .. } = &self.manifest;
        one_line(&format!("made {created} on {host} by podspawn {podspawn}"))
    }

    /// Homes and files of homes that are not in it though they should be; the first of them.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.manifest.left_out
    }

    pub(super) fn entry(&self, path: &EntryPath) -> Option<&Entry> {
        let entries = &self.manifest.entries;
        entries.binary_search_by(|entry| entry.path.cmp(path)).ok().and_then(|place| entries.get(place))
    }

    /// The bytes of `config.yaml`, if it is in the backup; they are those of the manifest.
    pub(super) fn config(&self) -> Result<Option<Vec<u8>>, BackupError> {
        let Some(Entry { kind: Kind::File { size, sha256 }, .. }) = self.entry(&EntryPath::known(CONFIG)) else {
            return Ok(None);
        };
        let bytes = read(&self.directory, CONFIG, *size).at("read", &self.path.join(CONFIG))?;
        if Sum::of(&bytes) == *sha256 {
            return Ok(Some(bytes));
        }
        Err(BackupError::Altered { path: self.path.clone(), fault: Fault::Changed(CONFIG.to_owned()) })
    }
}

fn manifest(directory: &OwnedFd) -> Result<Manifest, Fault> {
    let get = |name: &str, limit| {
        read(directory, name, limit).map_err(|source| Fault::Unreadable { name: name.to_owned(), source })
    };
    let sum = get(MANIFEST_SUM, 256)?;
    let text = get(MANIFEST, MAX_MANIFEST_BYTES)?;
    if sum != format!("{}  {MANIFEST}\n", Sum::of(&text)).into_bytes() {
        return Err(Fault::Sum);
    }
    Ok(Manifest::parse(&text)?)
}

/// All of a file that has at most `limit` bytes.
fn read(directory: &OwnedFd, name: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files::regular_at(directory, OsStr::new(name))?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Removes from `expected` the entries that the directory `path` has as the manifest says.
fn check_names(
    directory: &OwnedFd,
    path: Option<&EntryPath>,
    expected: &mut BTreeMap<EntryPath, &Entry>,
) -> Result<(), Fault> {
    let unreadable = |source| Fault::Unreadable { name: path.map_or(".".to_owned(), ToString::to_string), source };
    for name in files::names(directory).map_err(unreadable)? {
        let is_manifest = path.is_none() && (name == MANIFEST || name == MANIFEST_SUM);
        if is_manifest {
            continue;
        }
        let unlisted = |name: &dyn fmt::Display| Fault::Unlisted(name.to_string());
        let inner = match path {
            Some(path) => path.join(&name)?,
            None => EntryPath::try_from(name.as_os_str()).map_err(|_| unlisted(&name.display()))?,
        };
        let entry = expected.remove(&inner).ok_or_else(|| unlisted(&inner))?;
        let wrong = |source| Fault::Unreadable { name: inner.to_string(), source };
        match &entry.kind {
            Kind::Directory => {
                let open = files::directory_at(directory, &name).map_err(wrong)?;
                check_names(&open, Some(&inner), expected)?;
            }
            Kind::File { size, sha256 } => {
                let found = content(directory, &name, *size).map_err(wrong)?;
                if found != (*size, *sha256) {
                    return Err(Fault::Changed(inner.to_string()));
                }
            }
            Kind::Link { .. } => return Err(Fault::NoLink(inner.to_string())),
        }
    }
    Ok(())
}

/// Size and hash of a file; not more of it than a byte too many is read.
fn content(directory: impl AsFd, name: &OsStr, size: u64) -> io::Result<(u64, Sum)> {
    let mut file: File = files::regular_at(directory, name)?;
    if file.metadata()?.len() != size {
        return Ok((file.metadata()?.len(), Sum::of(b"")));
    }
    files::copy(&mut file, None, size.saturating_add(1))
}
