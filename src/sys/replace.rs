//! Replacing a file by a rename: readers see the old file or the new one, never a part of it.
//!
//! The new file is written under a temporary name in the same directory and then renamed. It is created exclusively, so
//! an existing file or symlink is never written through; a symlink at the target is replaced, not followed.

use rustix::fs::fchown;
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Owner and mode of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attributes {
    /// The caller's, with the mode.
    Own,
    /// This user's and group's, with the mode.
    Given { uid: u32, gid: u32 },
    /// Those of the replaced file; without one, the caller's with the mode.
    Inherited,
    /// As [`Self::Inherited`]; an owner that the caller may not set is left out.
    InheritedIfAllowed,
}

/// How a file is replaced.
///
/// Two writers of one file must exclude each other, unless they are [`Self::concurrent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "nothing is written before write() or fill()"]
pub struct Replacement {
    mode: u32,
    attributes: Attributes,
    durable: bool,
    concurrent: bool,
}

impl Replacement {
    /// A file with `mode`, whatever the umask, that the caller owns.
    pub const fn new(mode: u32) -> Self {
        Self { mode, attributes: Attributes::Own, durable: false, concurrent: false }
    }

    /// The file belongs to `uid` and `gid`. Only root may give files away.
    pub const fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { attributes: Attributes::Given { uid, gid }, ..self }
    }

    /// The file keeps owner and mode of the one that it replaces.
    pub const fn inheriting(self) -> Self {
        Self { attributes: Attributes::Inherited, ..self }
    }

    /// As [`Self::inheriting`], for a caller that may lack `CAP_CHOWN`: the file is the caller's then.
    pub const fn inheriting_if_allowed(self) -> Self {
        Self { attributes: Attributes::InheritedIfAllowed, ..self }
    }

    /// Content and name are on the disk when the call returns.
    pub const fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// Several processes may replace the file at once: each has a temporary name of its own.
    pub const fn concurrent(self) -> Self {
        Self { concurrent: true, ..self }
    }

    /// Gives the file at `path` the content `bytes`.
    pub fn write(self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.fill(path, |file| file.write_all(bytes))
    }

    /// As [`Self::write`]; `content` writes the file. On an error the file at `path` stays as it was.
    pub fn fill(self, path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if path.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
        }
        let process = if self.concurrent { format!(".{}", std::process::id()) } else { String::new() };
        let temporary = suffixed(path, &process);
        // Left by a process that was killed.
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let written = self.finish(&mut file, path, content).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written?;
        if self.durable { sync_parent(path) } else { Ok(()) }
    }

    fn finish(self, file: &mut File, path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let is_heir = matches!(self.attributes, Attributes::Inherited | Attributes::InheritedIfAllowed);
        let before = if is_heir { fs::metadata(path).ok() } else { None };
        // The owner first: changing it clears set-id bits. Both before there is content.
        match (self.attributes, &before) {
            (Attributes::Given { uid, gid }, _) => own(file, uid, gid)?,
            (Attributes::Inherited, Some(before)) => own(file, before.uid(), before.gid())?,
            (Attributes::InheritedIfAllowed, Some(before)) => drop(own(file, before.uid(), before.gid())),
            _ => {}
        }
        let mode = before.map_or(self.mode, |before| before.mode() & 0o7777);
        file.set_permissions(Permissions::from_mode(mode))?;
        content(file)?;
        if self.durable { file.sync_all() } else { Ok(()) }
    }
}

/// Removes the file at `path` so that it stays removed after a crash; false if there was none.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The temporary name of a replacement of `path`. It is hidden, so that no `Include` and no listing reads it.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    suffixed(path, "")
}

/// Brings the names in the directory of `path` to the disk.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{}.podspawn-new{suffix}", name.trim_start_matches('.')))
}

fn own(file: &File, uid: u32, gid: u32) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not a user or group id");
    let (uid, gid) = (super::ids::uid(uid).ok_or_else(invalid)?, super::ids::gid(gid).ok_or_else(invalid)?);
    Ok(fchown(file, Some(uid), Some(gid))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join("file"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, &path).unwrap();
        Replacement::new(0o644).durable().write(&path, b"ours").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"ours".to_vec(), 0o644));
        assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
        assert_eq!(names(directory.path()), 2);
    }

    #[test]
    fn a_prepared_temporary_file_or_link_is_never_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join(".file"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, temporary(&path)).unwrap();
        Replacement::new(0o600).write(&path, b"ours").unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&elsewhere).unwrap()), (b"ours".to_vec(), b"theirs".to_vec()));
        // A directory of that name cannot be removed and is not written to.
        fs::create_dir(temporary(&path)).unwrap();
        assert!(Replacement::new(0o600).write(&path, b"new").is_err());
        Replacement::new(0o600).concurrent().write(&path, b"other name").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"other name");
    }

    #[test]
    fn mode_and_owner_are_inherited_where_that_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let replacement = Replacement::new(0o644).inheriting();
        replacement.write(&path, b"new").unwrap();
        assert_eq!(mode(&path), 0o644);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(&path, Some(4711), Some(4712)).unwrap();
        }
        for replacement in [replacement, Replacement::new(0o644).inheriting_if_allowed()] {
            replacement.write(&path, b"newer").unwrap();
            assert_eq!(mode(&path), 0o640);
            assert!(!is_root || fs::metadata(&path).unwrap().uid() == 4711);
        }
        let given = Replacement::new(0o640).owned_by(4713, 4714).write(&path, b"given");
        assert_eq!(given.is_ok(), is_root);
        assert!(!is_root || fs::metadata(&path).unwrap().gid() == 4714);
        assert!(Replacement::new(0o640).owned_by(u32::MAX, 0).write(&path, b"").is_err());
        assert_eq!(names(directory.path()), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let failed = Replacement::new(0o600).fill(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), names(directory.path())), (b"old".to_vec(), 1));
        assert!(Replacement::new(0o600).write(&directory.path().join("no/such/directory"), b"").is_err());
        assert!(Replacement::new(0o600).write(Path::new("/"), b"").is_err());
        assert!(remove(&path).unwrap() && !remove(&path).unwrap());
    }
}
