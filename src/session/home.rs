//! Where a persistent home is on this host.
//!
//! The container has it as its user's home and may put anything there, for any uid: programs that are set-uid root to
//! this host among it. So only the broker's own account gets past the directory that holds all homes, and from here
//! nothing below a home is ever opened.

use crate::domain::UserName;
use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
};
use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// For looking at a directory, without the right to read it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Why there is no home for a container.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The directory that holds all homes is not fit for that.
    #[error("{} must be a directory of the broker's own account with mode 0700: {found}", .path.display())]
    Unsafe {
        /// `state.homes_dir`.
        path: PathBuf,
        /// Its present state.
        found: String,
    },
    /// Something else has the home's name, a link for instance; it is left alone.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// It cannot be made.
    #[error("cannot make {}{}", .path.display(), hint(.source, .path))]
    System {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

impl HomeError {
    fn system(path: &Path, errno: Errno) -> Self {
        Self::System { path: path.to_owned(), source: errno.into() }
    }
}

/// Advice for an operator whose sandboxed broker cannot write outside of `/var/lib/podspawn`.
fn hint(error: &io::Error, path: &Path) -> String {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            let directory = path.parent().unwrap_or(path).display();
            format!(" (does podspawn-broker.service have ReadWritePaths={directory}, and podspawn the directory?)")
        }
        _ => String::new(),
    }
}

/// The home of `user` below `homes`, made if it is not there yet. An empty directory is left if anything later fails:
/// the user's next container takes it.
pub(super) fn make(homes: &Path, user: &UserName) -> Result<PathBuf, HomeError> {
    let holder = open_holder(homes)?;
    let path = homes.join(user.as_ref());
    match rustix::fs::mkdirat(&holder, user.as_ref(), Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(HomeError::system(&path, error)),
    }
    match rustix::fs::openat(&holder, user.as_ref(), LOOK | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(_) => Ok(path),
        Err(Errno::NOTDIR | Errno::LOOP) => Err(HomeError::NotADirectory(path)),
        Err(error) => Err(HomeError::system(&path, error)),
    }
}

/// Opens the directory of all homes, making it if its parent is there. What is not the broker's own is refused; what
/// others could enter is closed to them first.
fn open_holder(homes: &Path) -> Result<OwnedFd, HomeError> {
    let failed = |error| HomeError::system(homes, error);
    match rustix::fs::mkdirat(CWD, homes, Mode::RWXU) {
        // On a read-only file system it may be there all the same, with a writable one mounted on it.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(Errno::ROFS | Errno::ACCESS) if homes.is_dir() => {}
        Err(error) => return Err(failed(error)),
    }
    // Not LOOK: a mode is changed through a descriptor that was opened for reading.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let holder = rustix::fs::open(homes, flags, Mode::empty()).map_err(failed)?;
    let stat = rustix::fs::fstat(&holder).map_err(failed)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        let found = format!("it belongs to uid {}", stat.st_uid);
        return Err(HomeError::Unsafe { path: homes.to_owned(), found });
    }
    if stat.st_mode & 0o7777 != 0o700 {
        rustix::fs::fchmod(&holder, Mode::RWXU).map_err(failed)?;
    }
    Ok(holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn alice() -> UserName {
        "alice".parse().unwrap()
    }

    #[test]
    fn a_home_and_what_holds_it_are_made_for_the_broker_alone() {
        let root = tempfile::tempdir().unwrap();
        let homes = root.path().join("homes");
        let home = make(&homes, &alice()).unwrap();
        assert_eq!(home, homes.join("alice"));
        assert_eq!((mode(&homes), mode(&home)), (0o700, 0o700));
        // And found again, as whatever the container has made of it.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).unwrap();
        fs::write(home.join("kept"), "x").unwrap();
        assert_eq!(make(&homes, &alice()).unwrap(), home);
        assert_eq!((mode(&home), fs::read_to_string(home.join("kept")).unwrap().as_str()), (0o711, "x"));
    }

    #[test]
    fn homes_that_others_could_enter_are_closed_to_them() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o2755)).unwrap();
        make(root.path(), &alice()).unwrap();
        assert_eq!(mode(root.path()), 0o700);
    }

    #[test]
    fn a_link_or_a_file_in_a_homes_place_is_refused_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let (homes, target) = (root.path().join("homes"), root.path().join("target"));
        fs::create_dir(&target).unwrap();
        fs::create_dir(&homes).unwrap();
        symlink(&target, homes.join("alice")).unwrap();
        symlink("nowhere", homes.join("bob")).unwrap();
        fs::write(homes.join("carol"), "").unwrap();
        for name in ["alice", "bob", "carol"] {
            let refused = make(&homes, &name.parse().unwrap());
            assert!(matches!(refused, Err(HomeError::NotADirectory(_))), "{name}: {refused:?}");
        }
        assert!(fs::read_dir(&target).unwrap().next().is_none() && !homes.join("nowhere").exists());
    }

    #[test]
    fn a_home_that_cannot_be_made_leaves_nothing_behind_and_the_error_has_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let error = make(&root.path().join("not/there"), &alice()).unwrap_err();
        assert!(error.to_string().ends_with("not/there"), "{error}");
        assert!(!root.path().join("not").exists());
        // What no account can write to, root included.
        let error = make(Path::new("/proc/podspawn-homes"), &alice()).unwrap_err();
        assert!(matches!(error, HomeError::System { .. }), "{error}");
        let read_only = HomeError::system(Path::new("/srv/homes/alice"), Errno::ROFS).to_string();
        assert!(read_only.contains("ReadWritePaths=/srv/homes"), "{read_only}");
    }

    #[test]
    fn a_directory_of_another_account_holds_no_homes() {
        let root = tempfile::tempdir().unwrap();
        // As root the test gives the directory away; as any other account it takes one of root's.
        let given = std::os::unix::fs::chown(root.path(), Some(12_345), None).is_ok();
        let foreign = if given { root.path() } else { Path::new("/usr") };
        let error = make(foreign, &alice()).unwrap_err().to_string();
        assert!(error.contains("with mode 0700: it belongs to uid"), "{error}");
        assert!(!foreign.join("alice").exists());
    }
}
