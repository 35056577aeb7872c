//! The changes that a restore would make on this host.

use super::{
    Backup, BackupError, BackupName, Places,
    error::At as _,
    files,
    manifest::{DATABASE, Entry, EntryPath, HOMES, KEYS, Kind, USERS},
    places::{configuration, parsed, with_suffix},
};
use crate::{accounts::Accounts, config::Config};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// One difference between a backup and this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The change: `replace`, `add`, `remove` (which keeps it under another name) or `leave`.
    pub verb: &'static str,
    /// The file or directory.
    pub path: PathBuf,
}

/// A file or directory that is replaced, added or set aside as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its replacement in the backup.
    pub(super) entry: Option<EntryPath>,
    pub(super) live: PathBuf,
    /// Its path afterwards.
    pub(super) kept: PathBuf,
}

/// Everything that a restore of one backup would do.
#[derive(Debug)]
pub struct Plan {
    pub(super) name: BackupName,
    pub(super) from: PathBuf,
    pub(super) etc: PathBuf,
    pub(super) items: Vec<Item>,
    changes: Vec<Change>,
}

impl Plan {
    /// Compares a backup with this host. The configuration that will be in force afterwards names the paths: the backup's,
    /// unless `config.yaml` here is a symlink to a declared file.
    pub fn make(backup: &Backup, etc: &Path) -> Result<Self, BackupError> {
        loop {
            let plan = Self::named(BackupName::of(jiff::Timestamp::now()), backup, etc)?;
            // Another restore of this very second kept files under that name.
            if !plan.is_name_taken()? {
                return Ok(plan);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn named(name: BackupName, backup: &Backup, etc: &Path) -> Result<Self, BackupError> {
        let config_path = etc.join(super::manifest::CONFIG);
        let config = if is_link(&config_path) {
            configuration(etc)?
        } else {
            backup.config()?.map_or(Ok(Config::default()), |bytes| parsed(&config_path, bytes))?
        };
        let places = Places::of(etc, &config);
        let (from, etc) = (absolute(backup.path())?, absolute(etc)?);
        let mut plan = Self { name, from, etc, items: Vec::new(), changes: Vec::new() };
        let accounts = Accounts::new();
        for (name, live) in places.all() {
            let path = EntryPath::known(name);
            plan.compare(backup, &path, live, &accounts).at("read", live)?;
        }
        for entry in &backup.manifest.entries {
            let parts: Vec<&[u8]> = entry.path.parts().collect();
            if let [first, user] = parts.as_slice()
                && *first == HOMES.as_bytes()
            {
                let user = String::from_utf8_lossy(user);
                let live = places.homes.join(&*user);
                plan.put(Some(entry.path.clone()), &live).at("read", &live)?;
            }
        }
        plan.check()?;
        Ok(plan)
    }

    /// The differences, in the order of the changes.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the state or a home of running containers may change.
    #[must_use]
    pub fn concerns_sessions(&self) -> bool {
        let concerns =
            |path: &EntryPath| *path == EntryPath::known(DATABASE) || path.is_below(&EntryPath::known(HOMES));
        self.items.iter().any(|item| item.entry.as_ref().is_none_or(concerns))
    }

    fn compare(&mut self, backup: &Backup, path: &EntryPath, live: &Path, accounts: &Accounts) -> io::Result<()> {
        if is_link(live) {
            self.note("leave", live);
            return Ok(());
        }
        let Some(entry) = backup.entry(path) else {
            return if files::exists(live)? { self.put(None, live) } else { Ok(()) };
        };
        let is_database = *path == EntryPath::known(DATABASE);
        let is_directory = *path == EntryPath::known(KEYS) || *path == EntryPath::known(USERS);
        if is_database {
            // A log belongs to the database that it was written for.
            let logs = ["-wal", "-shm"];
            if is_same(entry, live, accounts) && !logs.iter().any(|suffix| with_suffix(live, suffix).exists()) {
                return Ok(());
            }
            for suffix in logs {
                let (log, kept) = (with_suffix(live, suffix), with_suffix(&self.kept(live), suffix));
                self.items.push(Item { entry: None, live: log, kept });
            }
        } else if is_directory {
            return self.compare_directory(backup, entry, live, accounts);
        } else if is_same(entry, live, accounts) {
            return Ok(());
        }
        self.put(Some(path.clone()), live)
    }

    /// Directories of keys and of users' settings are replaced whole, and shown file by file.
    fn compare_directory(
        &mut self,
        backup: &Backup,
        entry: &Entry,
        live: &Path,
        accounts: &Accounts,
    ) -> io::Result<()> {
        if !live.is_dir() {
            return self.put(Some(entry.path.clone()), live);
        }
        let mut here: BTreeSet<OsString> = files::names(files::directory(live)?)?.into_iter().collect();
        let before = self.changes.len();
        for inner in backup.manifest.entries.iter().filter(|inner| inner.path.is_below(&entry.path)) {
            let path = live.join(inner.path.file_name());
            if !here.remove(inner.path.file_name()) {
                self.note("add", &path);
            } else if !is_same(inner, &path, accounts) {
                self.note("replace", &path);
            }
        }
        for name in here {
            self.note("remove", &live.join(name));
        }
        if self.changes.len() > before || !has_metadata(entry, &fs::metadata(live)?, accounts) {
            if self.changes.len() == before {
                self.note("replace", live);
            }
            self.push(Some(entry.path.clone()), live);
        }
        Ok(())
    }

    fn put(&mut self, entry: Option<EntryPath>, live: &Path) -> io::Result<()> {
        let verb = match (&entry, files::exists(live)?) {
            (None, _) => "remove",
            (Some(_), true) => "replace",
            (Some(_), false) => "add",
        };
        self.note(verb, live);
        self.push(entry, live);
        Ok(())
    }

    fn push(&mut self, entry: Option<EntryPath>, live: &Path) {
        self.items.push(Item { entry, live: live.to_owned(), kept: self.kept(live) });
    }

    fn note(&mut self, verb: &'static str, path: &Path) {
        self.changes.push(Change { verb, path: path.to_owned() });
    }

    fn kept(&self, live: &Path) -> PathBuf {
        with_suffix(live, &format!(".before-restore-{}", self.name))
    }

    /// Each item has a path of its own, in a directory that exists.
    fn check(&self) -> Result<(), BackupError> {
        for (place, item) in self.items.iter().enumerate() {
            let parent = item.live.parent().unwrap_or(Path::new("/"));
            if !parent.is_dir() {
                let why = "does not exist, so nothing can be restored to it; make it first, `systemd-tmpfiles --create` if it is \
                           podspawn's own";
                return Err(irreplaceable(parent, why.to_owned()));
            }
            let others = self.items.iter().enumerate().filter(|(other, _)| *other != place);
            if let Some((_, other)) = others.into_iter().find(|(_, other)| other.live.starts_with(&item.live)) {
                let why = format!("and {} are to be restored, and one is in the other", other.live.display());
                return Err(irreplaceable(&item.live, why));
            }
            if is_mount(&item.live) {
                return Err(irreplaceable(
                    &item.live,
                    "is a file system of its own, and cannot be replaced".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn is_name_taken(&self) -> Result<bool, BackupError> {
        for item in &self.items {
            if files::exists(&item.kept).at("read", &item.kept)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn irreplaceable(path: &Path, why: String) -> BackupError {
    BackupError::Irreplaceable { path: path.to_owned(), why }
}

fn absolute(path: &Path) -> Result<PathBuf, BackupError> {
    std::path::absolute(path).at("find", path)
}

/// A symlink leads to a file that is declared elsewhere, by a NixOS configuration for instance, and is not replaced.
fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_symlink())
}

/// Whether `path` is a mount point; false where the kernel does not say.
fn is_mount(path: &Path) -> bool {
    let about = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    about.is_ok_and(|about| about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether a file here has content, mode and owner of the entry.
fn is_same(entry: &Entry, live: &Path, accounts: &Accounts) -> bool {
    let Kind::File { size, sha256 } = &entry.kind else { return false };
    let open = files::regular_at(CWD, live.as_os_str());
    let Ok((mut file, about)) = open.and_then(|file: File| file.metadata().map(|about| (file, about))) else {
        return false;
    };
    about.len() == *size
        && has_metadata(entry, &about, accounts)
        && files::copy(&mut file, None, size.saturating_add(1)).is_ok_and(|found| found == (*size, *sha256))
}

fn has_metadata(entry: &Entry, about: &fs::Metadata, accounts: &Accounts) -> bool {
    about.mode() & 0o7777 == super::stage::mode(entry) && (about.uid(), about.gid()) == entry.owner.here(accounts)
}
