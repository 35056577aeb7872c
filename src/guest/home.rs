//! The home directory of a login: made and filled from `/etc/skel` once, and never touched again.
//!
//! Everything goes through descriptors of directories and follows no link, so that nothing outside of the home is
//! written even if names are swapped meanwhile.

use super::files::under;
use rustix::{
    fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};
use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// What is copied from `/etc/skel` at most; the rest is left out. A skeleton is a handful of dot files.
const MAX_ENTRIES: usize = 2000;
const MAX_BYTES: u64 = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 8;

pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Who gets the home.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    pub(super) fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

/// The owner of the directory `path`, if it is one with anything in it.
pub(super) fn owner_of_files(path: &Path) -> Option<u32> {
    let directory = rustix::fs::open(path, DIRECTORY, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&directory).ok()?;
    (!is_empty(&directory).ok()?).then_some(stat.st_uid)
}

/// Makes the home `home` (as the container sees it) if it is not there, and fills it if it is empty; whether it did.
///
/// An empty home of another owner is a mount point that waits for its first login: with `adopt` its owner changes.
pub(super) fn prepare(root: &Path, home: &Path, owner: Owner, adopt: bool) -> Result<bool, Errno> {
    let path = under(root, home);
    if home == Path::new("/") {
        return Ok(false);
    }
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        std::fs::create_dir_all(parent).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    }
    let created = match rustix::fs::mkdir(&path, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error),
    };
    let directory = rustix::fs::open(&path, DIRECTORY, Mode::empty())?;
    let stat = rustix::fs::fstat(&directory)?;
    if !created && (!is_empty(&directory)? || (stat.st_uid != owner.uid && !adopt)) {
        return Ok(false);
    }
    fill(root, &directory, owner);
    let (uid, gid) = owner.ids();
    rustix::fs::fchown(&directory, uid, gid)?;
    Ok(true)
}

/// Copies `/etc/skel` into the home `directory`; existing files stay as they are.
pub(super) fn fill(root: &Path, directory: &OwnedFd, owner: Owner) {
    if let Ok(skeleton) = rustix::fs::open(under(root, Path::new("/etc/skel")), DIRECTORY, Mode::empty()) {
        let mut copy = Copy { owner, entries: MAX_ENTRIES, bytes: MAX_BYTES };
        copy.directory(&skeleton, directory, 0);
    }
}

pub(super) fn is_empty(directory: &OwnedFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b".." | b"lost+found") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A copy that ends at its bounds.
struct Copy {
    owner: Owner,
    entries: usize,
    bytes: u64,
}

impl Copy {
    /// Copies what is in `from`; what cannot be copied is left out, since a login without a dot file is better than
    /// none.
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, depth: usize) {
        let Ok(entries) = Dir::read_from(from) else { return };
        for entry in entries {
            let Ok(entry) = entry else { return };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Some(left) = self.entries.checked_sub(1) else { return };
            self.entries = left;
            let _ = self.entry(from, to, name, depth);
        }
    }

    fn entry(&mut self, from: &OwnedFd, to: &OwnedFd, name: &std::ffi::CStr, depth: usize) -> Result<(), Errno> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let (uid, gid) = self.owner.ids();
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let source = rustix::fs::openat(from, name, flags, Mode::empty())?;
                if FileType::from_raw_mode(rustix::fs::fstat(&source)?.st_mode) != FileType::RegularFile {
                    return Err(Errno::INVAL);
                }
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut target = File::from(rustix::fs::openat(to, name, flags, Mode::RWXU)?);
                let copied = std::io::copy(&mut File::from(source).take(self.bytes), &mut target);
                self.bytes -= copied.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
                self.hand_over(&target, stat.st_mode)
            }
            FileType::Directory if depth < MAX_DEPTH => {
                let source = rustix::fs::openat(from, name, DIRECTORY, Mode::empty())?;
                rustix::fs::mkdirat(to, name, Mode::RWXU)?;
                let target = rustix::fs::openat(to, name, DIRECTORY, Mode::empty())?;
                self.directory(&source, &target, depth + 1);
                self.hand_over(&target, stat.st_mode)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(&target, to, name)?;
                rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
            _ => Ok(()),
        }
    }

    /// Mode first: changing it after the owner would take `CAP_FOWNER`.
    fn hand_over(&self, file: impl AsFd, mode: u32) -> Result<(), Errno> {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
        let (uid, gid) = self.owner.ids();
        rustix::fs::fchown(&file, uid, gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn me() -> Owner {
        Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    fn image() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let skel = root.path().join("etc/skel");
        std::fs::create_dir_all(skel.join(".config/deep")).unwrap();
        std::fs::write(skel.join(".bashrc"), "hello").unwrap();
        std::fs::set_permissions(skel.join(".bashrc"), std::fs::Permissions::from_mode(0o4644)).unwrap();
        std::fs::write(skel.join(".config/deep/x"), "x").unwrap();
        symlink("/etc/shadow", skel.join("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, skel.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        root
    }

    #[test]
    fn a_new_home_is_private_and_filled_from_the_skeleton() {
        let root = image();
        prepare(root.path(), Path::new("/home/alice"), me(), true).unwrap();
        let home = root.path().join("home/alice");
        assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(std::fs::metadata(home.join(".bashrc")).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(std::fs::read(home.join(".config/deep/x")).unwrap(), b"x");
        assert_eq!(std::fs::read_link(home.join("link")).unwrap(), Path::new("/etc/shadow"));
        assert!(!home.join("fifo").exists());
    }

    #[test]
    fn a_home_with_anything_in_it_is_left_alone() {
        let root = image();
        let home = root.path().join("home/alice");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("mine"), "").unwrap();
        prepare(root.path(), Path::new("/home/alice"), me(), true).unwrap();
        assert!(!home.join(".bashrc").exists());
    }

    #[test]
    fn an_empty_home_of_the_account_is_filled() {
        let root = image();
        std::fs::create_dir_all(root.path().join("home/alice")).unwrap();
        prepare(root.path(), Path::new("/home/alice"), me(), false).unwrap();
        assert!(root.path().join("home/alice/.bashrc").exists());
    }

    #[test]
    fn a_home_that_is_a_link_is_not_followed() {
        let root = image();
        std::fs::create_dir_all(root.path().join("home")).unwrap();
        std::fs::create_dir_all(root.path().join("elsewhere")).unwrap();
        symlink(root.path().join("elsewhere"), root.path().join("home/alice")).unwrap();
        assert!(prepare(root.path(), Path::new("/home/alice"), me(), true).is_err());
        assert!(!root.path().join("elsewhere/.bashrc").exists());
    }

    #[test]
    fn a_skeleton_without_end_is_cut() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = root.path().join("etc/skel");
        for _ in 0..30 {
            directory.push("d");
        }
        std::fs::create_dir_all(&directory).unwrap();
        let large = std::fs::File::create(root.path().join("etc/skel/large")).unwrap();
        large.set_len(MAX_BYTES * 2).unwrap();
        prepare(root.path(), Path::new("/home/alice"), me(), true).unwrap();
        let copied = std::fs::metadata(root.path().join("home/alice/large")).unwrap().len();
        assert_eq!(copied, MAX_BYTES);
    }
}
