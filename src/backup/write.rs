//! Making a backup.

use super::{
    BackupName, HomeLimits,
    copies::{Copies, Named},
    error::{At as _, BackupError},
    files, homes,
    lock::StateLock,
    manifest::Kind,
    places::{Places, configuration},
    prune,
    verify::Backup,
};
use rustix::{
    fs::{CWD, FlockOperation, Gid, Mode, RenameFlags, Uid},
    io::Errno,
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The files to back up, and the directory for the backup.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// `/etc/podspawn`.
    pub etc: &'a Path,
    /// Instead of `backup.dir`.
    pub to: Option<&'a Path>,
    /// How many backups are kept; `None` is `backup.keep` in `backup.dir`, and all elsewhere.
    pub keep: Option<u32>,
    /// Whether homes are backed up too, and how much of each at most.
    pub homes: Option<HomeLimits>,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The new backup.
    pub path: PathBuf,
    /// Files in it, without the manifest.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The schema of the database, if there is one.
    pub schema: Option<i64>,
    /// Files that cannot be in a backup: sockets, and files that were removed meanwhile.
    pub skipped: Named,
    /// Homes and files of homes that should be in the backup and are not.
    pub left_out: Named,
    /// Backups that were removed, oldest first.
    pub pruned: Vec<PathBuf>,
}

/// Makes a backup: complete, verified and on the disk when this returns. Then removes older ones.
///
/// With homes, a backup without them is completed first. It stays whatever the homes do, and goes once there is one
/// with both.
pub fn back_up(order: &Order<'_>) -> Result<Report, BackupError> {
    let config = configuration(order.etc)?;
    let places = Places::of(order.etc, &config);
    let _lock = StateLock::shared(&places)?;
    let directory = order.to.unwrap_or(config.backup.dir.as_path());
    let keep = order.keep.or_else(|| order.to.is_none().then_some(config.backup.keep));
    if places.contain(directory) {
        return Err(BackupError::Destination {
            path: directory.to_owned(),
            why: "would become part of its own backups",
        });
    }
    let owner = prepare(directory)?;
    prune::remove_partial(directory)?;
    let prune = || keep.map_or(Ok(Vec::new()), |keep| prune::prune(directory, keep));

    let mut report = make(&places, directory, owner, None)?;
    let mut pruned = prune()?;
    if let Some(limits) = order.homes {
        let kept = report.path;
        report = make(&places, directory, owner, Some(limits))
            .map_err(|source| BackupError::Homes { kept: kept.clone(), source: Box::new(source) })?;
        prune::remove(directory, &kept)?;
        pruned.extend(prune()?);
    }
    Ok(Report { pruned, ..report })
}

/// Makes one backup, complete, verified and on the disk. Nothing is left of one that fails.
fn make(
    places: &Places,
    directory: &Path,
    owner: Option<(Uid, Gid)>,
    homes: Option<HomeLimits>,
) -> Result<Report, BackupError> {
    let (name, partial) = begin(directory)?;
    let made = fill(places, owner, homes, &partial).and_then(|report| {
        let path = directory.join(name.as_ref());
        rustix::fs::renameat_with(CWD, &partial, CWD, &path, RenameFlags::NOREPLACE).at("make", &path)?;
        files::sync_names(directory).at("write", directory)?;
        Ok(Report { path, ..report })
    });
    if made.is_err() {
        // It may have filled the disk. The next backup removes what cannot be removed now.
        let _ = files::remove(&partial);
    }
    made
}

fn fill(
    places: &Places,
    owner: Option<(Uid, Gid)>,
    homes: Option<HomeLimits>,
    path: &Path,
) -> Result<Report, BackupError> {
    let partial = files::directory(path).at("open", path)?;
    // Runs that remove the remains of killed ones see by the lock that this one is at work.
    rustix::fs::flock(&partial, FlockOperation::LockExclusive).at("lock", path)?;
    let mut copies = Copies { owner, ..Copies::default() };
    copies.give(&partial).at("make", path)?;
    let schema = copies.everything(places, &partial, path)?;
    if let Some(limits) = homes {
        homes::all(&mut copies, places, limits, &partial, path)?;
    }
    let files = copies.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).count();
    copies.manifest(schema, &partial, path)?;
    files::sync_all(&partial).at("write", path)?;
    Backup::open(path)?;
    let Copies { bytes, skipped, left_out, .. } = copies;
    Ok(Report { path: path.to_owned(), files, bytes, schema, skipped, left_out, pruned: Vec::new() })
}

/// Makes the directory of all backups if it does not exist; returns the owner of backups, if that is not the caller.
fn prepare(directory: &Path) -> Result<Option<(Uid, Gid)>, BackupError> {
    match rustix::fs::mkdir(directory, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        // It may exist all the same, on a read-only file system with a writable one mounted.
        Err(Errno::ROFS | Errno::ACCESS) if directory.is_dir() => {}
        Err(error) => return Err(error).at("make", directory),
    }
    let about = fs::metadata(directory).at("open", directory)?;
    if !about.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory)).at("use", directory);
    }
    if about.mode() & 0o002 != 0 {
        return Err(BackupError::Destination {
            path: directory.to_owned(),
            why: "is writable for all users, who could change the keys that a restore brings back",
        });
    }
    // The timer's account has to be able to remove a backup that root makes by hand.
    let given = rustix::process::geteuid().is_root() && about.uid() != 0;
    Ok(given.then(|| (Uid::from_raw(about.uid()), Gid::from_raw(about.gid()))))
}

/// Makes a directory for a backup of this second, or of the next that has none.
fn begin(directory: &Path) -> Result<(BackupName, PathBuf), BackupError> {
    loop {
        let name = BackupName::of(jiff::Timestamp::now());
        let partial = directory.join(name.partial());
        if !files::exists(&directory.join(name.as_ref())).at("read", directory)? {
            match rustix::fs::mkdir(&partial, Mode::RWXU) {
                Err(Errno::EXIST) => {}
                result => return result.at("make", &partial).map(|()| (name, partial)),
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
