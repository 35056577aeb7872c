//! The copies of which a backup consists: each file as it is copied, with its entry of the manifest.

use super::{
    budget::Budget,
    error::{At as _, BackupError},
    files,
    manifest::{
        DATABASE, Entry, EntryPath, Kind, LeftOut, MANIFEST, MANIFEST_SUM, MAX_MANIFEST_BYTES, Manifest, Owner, Sum,
    },
    places::Places,
};
use crate::{accounts::Accounts, store::Store};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Gid, Uid},
};
use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Largest file of the configuration, in bytes. A key file may have a mebibyte.
const MAX_CONFIGURATION_BYTES: u64 = 16 << 20;
/// How many of the files that were left out are named.
const MAX_NAMED: usize = 100;

/// Paths with a reason: the first of them by name, all of them by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The first of them.
    pub first: Vec<(PathBuf, String)>,
    /// How many there are.
    pub count: usize,
}

impl Named {
    fn add(&mut self, path: &Path, why: String) {
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push((path.to_owned(), why));
        }
    }
}

/// The contents of the backup so far.
#[derive(Default)]
pub(super) struct Copies {
    pub(super) owner: Option<(Uid, Gid)>,
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: u64,
    pub(super) budget: Budget,
    pub(super) skipped: Named,
    pub(super) left_out: Named,
}

impl Copies {
    pub(super) fn everything(
        &mut self,
        places: &Places,
        into: &OwnedFd,
        path: &Path,
    ) -> Result<Option<i64>, BackupError> {
        let accounts = Accounts::new();
        let named = |file: &Metadata| Owner::named(file, &accounts);
        let schema = self.database(places, into, path, named)?;
        for (name, live) in places.single_files() {
            match files::linked_at(CWD, live.as_os_str()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => {
                    let file = small(result.at("read", live)?, live)?;
                    self.file(file, into, &EntryPath::known(name), live, named)?;
                }
            }
        }
        for (name, live) in places.directories() {
            self.directory(name, live, into, named)?;
        }
        Ok(schema)
    }

    fn database(
        &mut self,
        places: &Places,
        into: &OwnedFd,
        path: &Path,
        owner: impl Fn(&Metadata) -> Owner,
    ) -> Result<Option<i64>, BackupError> {
        let live = &places.database;
        let about = match fs::metadata(live) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.at("read", live)?,
        };
        drop(self.create(into, OsStr::new(DATABASE), live)?);
        let schema = Store::back_up(live, &path.join(DATABASE))
            .map_err(|source| BackupError::Database { path: live.clone(), source })?;
        let copied = files::regular_at(into, OsStr::new(DATABASE));
        let (size, sha256) = copied.and_then(|mut file| files::copy(&mut file, None, u64::MAX)).at("copy", live)?;
        self.bytes += size;
        self.entries.push(Entry {
            path: EntryPath::known(DATABASE),
            kind: Kind::File { size, sha256 },
            mode: about.mode() & 0o7777,
            owner: owner(&about),
            modified: about.mtime(),
        });
        Ok(Some(schema))
    }

    /// The files of a directory that is root's alone. Links there are root's too: declared files, of NixOS for instance.
    fn directory(
        &mut self,
        name: &'static str,
        live: &Path,
        into: &OwnedFd,
        owner: impl Fn(&Metadata) -> Owner + Copy,
    ) -> Result<(), BackupError> {
        let source = match files::directory(live) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.at("read", live)?,
        };
        let (path, open) = (EntryPath::known(name), File::from(source));
        let target = self.make_directory(into, OsStr::new(name), live)?;
        let mut entry = entry(&path, Kind::Directory, &open).at("read", live)?;
        entry.owner = owner(&open.metadata().at("read", live)?);
        self.entries.push(entry);
        for name in files::names(&open).at("read", live)? {
            let shown = live.join(&name);
            let path = path.join(&name).map_err(|source| BackupError::Name { path: shown.clone(), source })?;
            match files::linked_at(&open, &name) {
                Ok(file) => self.file(small(file, &shown)?, &target, &path, &shown, owner)?,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error).at("read", &shown),
                Err(error) => self.skip(&shown, error.to_string()),
            }
        }
        Ok(())
    }

    /// Copies an open file into `target`; its path is `path` in the backup and `shown` on this host.
    pub(super) fn file(
        &mut self,
        mut file: File,
        target: &OwnedFd,
        path: &EntryPath,
        shown: &Path,
        owner: impl Fn(&Metadata) -> Owner,
    ) -> Result<(), BackupError> {
        let about = file.metadata().at("read", shown)?;
        let mut copied = self.create(target, path.file_name(), shown)?;
        let budget = &mut self.budget;
        // A file may grow without end while it is read.
        let done = files::copy_paced(&mut file, Some(&mut copied), about.len(), |bytes| budget.take_bytes(bytes));
        let added = done.and_then(|(size, sha256)| {
            self.add(Entry {
                path: path.clone(),
                kind: Kind::File { size, sha256 },
                mode: about.mode() & 0o7777,
                owner: owner(&about),
                modified: about.mtime(),
            })?;
            Ok(size)
        });
        if added.is_err() {
            // A file without an entry in the manifest must not be in the backup.
            rustix::fs::unlinkat(target, path.file_name(), AtFlags::empty()).at("remove", shown)?;
        }
        self.bytes += added.at("copy", shown)?;
        Ok(())
    }

    pub(super) fn add(&mut self, entry: Entry) -> io::Result<()> {
        self.budget.take_entry(&entry, self.entries.len())?;
        self.entries.push(entry);
        Ok(())
    }

    pub(super) fn manifest(&mut self, schema: Option<i64>, into: &OwnedFd, path: &Path) -> Result<(), BackupError> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let created = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
        let plain = |(path, reason): &(PathBuf, String)| LeftOut {
            path: path.to_string_lossy().into_owned(),
            reason: reason.clone(),
        };
        let left_out = self.left_out.first.iter().map(plain).collect();
        let manifest = Manifest::new(schema, host, created, left_out, std::mem::take(&mut self.entries));
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other).at("write", path)?;
        text.push(b'\n');
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(BackupError::TooManyFiles);
        }
        let sum = format!("{}  {MANIFEST}\n", Sum::of(&text));
        for (name, bytes) in [(MANIFEST, text.as_slice()), (MANIFEST_SUM, sum.as_bytes())] {
            let mut file = self.create(into, OsStr::new(name), path)?;
            file.write_all(bytes).at("write", path)?;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, path: &Path, why: String) {
        self.skipped.add(path, why);
    }

    pub(super) fn leave_out(&mut self, path: &Path, why: String) {
        self.left_out.add(path, why);
    }

    fn create(&self, at: &OwnedFd, name: &OsStr, shown: &Path) -> Result<File, BackupError> {
        let file = files::create_at(at, name).at("copy", shown)?;
        self.give(&file).at("copy", shown)?;
        Ok(file)
    }

    pub(super) fn make_directory(&self, at: &OwnedFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, BackupError> {
        let directory = files::make_directory_at(at, name).at("copy", shown)?;
        self.give(&directory).at("copy", shown)?;
        Ok(directory)
    }

    pub(super) fn give(&self, file: impl AsFd) -> io::Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        Ok(rustix::fs::fchown(file, Some(uid), Some(gid))?)
    }
}

fn small(file: File, path: &Path) -> Result<File, BackupError> {
    let size = file.metadata().at("read", path)?.len();
    if size > MAX_CONFIGURATION_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge)).at("copy", path);
    }
    Ok(file)
}

/// The entry of an open file, by its own metadata.
pub(super) fn entry(path: &EntryPath, kind: Kind, open: &File) -> io::Result<Entry> {
    let about = open.metadata()?;
    let (mode, owner) = (about.mode() & 0o7777, Owner::number(&about));
    Ok(Entry { path: path.clone(), kind, mode, owner, modified: about.mtime() })
}
