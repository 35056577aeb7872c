//! The redo journal of a restore: all files change or none, whenever the process is killed.
//!
//! `restore.plan` names the files that are laid out. A run that finds it removes them; nothing has changed. Once
//! everything is on the disk, `restore.journal` takes its place: a run that finds that finishes the restore. Names and
//! inodes alone show whether a step is done, so each step can be repeated.

use super::{Backup, BackupError, Plan, error::At as _, files, stage};
use crate::sys::record::{self, RecordError};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const PLAN: &str = "restore.plan";
const JOURNAL: &str = "restore.journal";
const FORMAT: u32 = 1;
/// Largest record, in bytes: a home for each of fifty thousand users.
const MAX_BYTES: u64 = 64 << 20;
/// Whether a restore in `etc` has begun to change files and was interrupted. An error counts as yes.
#[must_use]
pub fn is_restore_pending(etc: &Path) -> bool {
    files::exists(&etc.join(JOURNAL)).unwrap_or(true)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    /// The backup.
    from: PathBuf,
    /// Units that ran before.
    start: Vec<String>,
    steps: Vec<Step>,
}

/// One file or directory that is replaced, added or set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    live: PathBuf,
    kept: PathBuf,
    /// The path of its replacement until then.
    stage: Option<PathBuf>,
    /// The replacement's inode, once it is laid out. Not the device: its number may be another after a reboot.
    inode: Option<u64>,
}

/// A restore that has changed nothing yet.
#[derive(Debug)]
pub struct Prepared {
    etc: PathBuf,
    record: Record,
}

/// A restore that cannot go back.
#[derive(Debug)]
pub struct Journal {
    etc: PathBuf,
    record: Record,
}

impl Prepared {
    /// Records the files that will be laid out, and the units to start afterwards in any case.
    pub fn begin(plan: &Plan, start: Vec<String>) -> Result<Self, BackupError> {
        let steps = plan.items.iter().map(|item| {
            let (parent, name) = (item.live.parent()?, item.live.file_name()?.to_str()?);
            let stage = item.entry.is_some().then(|| parent.join(format!(".{name}.restoring-{}", plan.name)));
            Some(Step { live: item.live.clone(), kept: item.kept.clone(), stage, inode: None })
        });
        let steps = steps.collect::<Option<_>>().ok_or_else(|| BackupError::Irreplaceable {
            path: plan.etc.clone(),
            why: "has a configuration with a path that names no file".to_owned(),
        })?;
        let record = Record { format: FORMAT, from: plan.from.clone(), start, steps };
        record.write(&plan.etc, PLAN)?;
        Ok(Self { etc: plan.etc.clone(), record })
    }

    /// One that was left.
    pub fn find(etc: &Path) -> Result<Option<Self>, BackupError> {
        let record = Record::read(etc, PLAN)?;
        Ok(record.map(|record| Self { etc: etc.to_owned(), record }))
    }

    /// The units to start afterwards.
    #[must_use]
    pub fn start(&self) -> &[String] {
        &self.record.start
    }

    /// Lays all files out.
    pub fn stage(&mut self, plan: &Plan, backup: &Backup) -> Result<(), BackupError> {
        for (step, item) in self.record.steps.iter_mut().zip(&plan.items) {
            if let (Some(path), Some(entry)) = (&step.stage, &item.entry) {
                step.inode = Some(stage::stage(backup, entry, path)?);
            }
        }
        Ok(())
    }

    /// Removes the files that were laid out.
    pub fn give_up(self) -> Result<(), BackupError> {
        for path in self.record.steps.iter().filter_map(|step| step.stage.as_deref()) {
            files::remove(path).at("remove", path)?;
        }
        remove_record(&self.etc, PLAN)
    }

    /// From here on there is no way back.
    pub fn commit(self) -> Result<Journal, BackupError> {
        self.record.write(&self.etc, JOURNAL)?;
        remove_record(&self.etc, PLAN)?;
        Ok(Journal { etc: self.etc, record: self.record })
    }
}

impl Journal {
    /// One that was left.
    pub fn find(etc: &Path) -> Result<Option<Self>, BackupError> {
        let record = Record::read(etc, JOURNAL)?;
        Ok(record.map(|record| Self { etc: etc.to_owned(), record }))
    }

    /// The backup that is restored.
    #[must_use]
    pub fn from(&self) -> &Path {
        &self.record.from
    }

    /// The units to start afterwards.
    #[must_use]
    pub fn start(&self) -> &[String] {
        &self.record.start
    }

    /// Puts all files into their places; returns the kept names of those that they replaced.
    pub fn finish(self) -> Result<Vec<PathBuf>, BackupError> {
        for step in &self.record.steps {
            step.done()?;
        }
        let parents: BTreeSet<&Path> = self.record.steps.iter().filter_map(|step| step.live.parent()).collect();
        for parent in parents {
            files::sync_names(parent).at("write", parent)?;
        }
        // A plan may be left of a kill in the middle of the commit.
        remove_record(&self.etc, PLAN)?;
        remove_record(&self.etc, JOURNAL)?;
        let kept = self.record.steps.into_iter().map(|step| step.kept);
        Ok(kept.filter(|path| files::exists(path).unwrap_or(false)).collect())
    }
}

#[cfg(test)]
impl Journal {
    /// As [`Self::finish`], ending like a process that is killed before the rename after so many; true if it got to
    /// its end.
    pub(super) fn kill_after(self, renames: usize, flags: bool) -> bool {
        LEFT.set(Some(renames));
        FLAGS.set(flags);
        let finished = self.finish();
        LEFT.set(None);
        FLAGS.set(true);
        finished.is_ok()
    }
}

#[cfg(test)]
thread_local! {
    /// Renames that are left before the process counts as killed.
    static LEFT: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
    /// Whether the file system knows flags of a rename.
    static FLAGS: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

impl Step {
    /// Does the rest of the step.
    fn done(&self) -> Result<(), BackupError> {
        let Step { live, kept, stage, inode } = self;
        let (Some(stage), Some(inode)) = (stage, inode) else {
            // It is set aside once; a later file of that name is not podspawn's.
            let is_done = files::exists(kept).at("read", kept)? || !files::exists(live).at("read", live)?;
            return if is_done { Ok(()) } else { rename(live, kept).at("move", live) };
        };
        if inode_of(live).at("read", live)? != Some(*inode) {
            if inode_of(stage).at("read", stage)? != Some(*inode) {
                return Err(BackupError::Irreplaceable {
                    path: live.clone(),
                    why: format!(
                        "was to be replaced by {}, which is gone; remove {JOURNAL} and restore the backup again",
                        stage.display()
                    ),
                });
            }
            swap(stage, live, kept).at("replace", live)?;
        }
        // The replaced file is now at the path of its replacement.
        if files::exists(stage).at("read", stage)? { rename(stage, kept).at("move", stage) } else { Ok(()) }
    }
}

/// Puts `stage` in the place of `live`, at once where the file system can.
fn swap(stage: &Path, live: &Path, kept: &Path) -> io::Result<()> {
    if !files::exists(live)? {
        return rename(stage, live);
    }
    match rename_with(stage, live, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename(live, kept)?;
            rename(stage, live)
        }
        result => Ok(result?),
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match rename_with(from, to, RenameFlags::NOREPLACE) {
        // The file system knows no flags; no other process uses these names.
        Err(Errno::INVAL | Errno::NOSYS) if !files::exists(to)? => fs::rename(from, to),
        result => Ok(result?),
    }
}

fn rename_with(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
    #[cfg(test)]
    if let Some(left) = LEFT.get() {
        LEFT.set(Some(left.checked_sub(1).ok_or(Errno::CANCELED)?));
        if !FLAGS.get() {
            return Err(Errno::INVAL);
        }
    }
    renameat_with(CWD, from, CWD, to, flags)
}

fn inode_of(path: &Path) -> io::Result<Option<u64>> {
    match path.symlink_metadata() {
        Ok(about) => Ok(Some(about.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Record {
    fn write(&self, etc: &Path, name: &str) -> Result<(), BackupError> {
        let path = etc.join(name);
        record::write(&path, self).at("write", &path)
    }

    /// Reads a record that only the caller can have written.
    fn read(etc: &Path, name: &str) -> Result<Option<Self>, BackupError> {
        let path = etc.join(name);
        let unusable = |why: String| BackupError::Record { path: path.clone(), why };
        let found: Option<Self> = match record::read(&path, MAX_BYTES) {
            Err(RecordError::Io(error)) => return Err(error).at("read", &path),
            Err(RecordError::Invalid(error)) => return Err(io::Error::from(error)).at("read", &path),
            result => result.map_err(|error| unusable(format!("was not written by podspawn: {error}")))?,
        };
        match found {
            Some(record) if record.format != FORMAT => Err(unusable("is of another version of podspawn".to_owned())),
            found => Ok(found),
        }
    }
}

fn remove_record(etc: &Path, name: &str) -> Result<(), BackupError> {
    let path = etc.join(name);
    record::remove(&path).at("remove", &path)
}
