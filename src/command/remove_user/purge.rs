//! Removes a persistent home: a tree that a container's root could fill at will.
//!
//! No link is followed and no other file system entered. Directories are emptied into the top one rather than walked
//! into, so that a tree of any depth takes no more than three descriptors and no stack.

use anyhow::Context as _;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, renameat, statat, unlinkat},
    io::Errno,
};
use std::{
    ffi::{CStr, CString},
    path::Path,
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes the directory `name` in `holder`; returns whether there was one.
pub(super) fn remove(holder: &Path, name: &str) -> anyhow::Result<bool> {
    let path = holder.join(name);
    let context = || format!("removing {}", path.display());
    let parent = match rustix::fs::open(holder, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty()) {
        Ok(parent) => parent,
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("{}", holder.display())),
    };
    let name = CString::new(name).with_context(context)?;
    let top = match enter(&parent, &name) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(false),
        Err(Errno::LOOP | Errno::NOTDIR) => anyhow::bail!("{} is not a directory; look at it yourself", path.display()),
        Err(Errno::XDEV) => anyhow::bail!("{} is a mount point: unmount it first", path.display()),
        Err(error) => return Err(error).with_context(context),
    };
    let mut moved = 0_u64;
    loop {
        let entries = entries(&top).with_context(context)?;
        if entries.is_empty() {
            break;
        }
        for (entry, kind) in entries {
            if kind == FileType::Directory {
                flatten(&top, &entry, &mut moved).with_context(context)?;
            } else {
                unlinkat(&top, &*entry, AtFlags::empty()).with_context(context)?;
            }
        }
    }
    unlinkat(&parent, &*name, AtFlags::REMOVEDIR).with_context(context)?;
    rustix::fs::fsync(&parent).with_context(context)?;
    Ok(true)
}

/// Opens the directory `name` of `parent` itself: no link, and nothing that is mounted there.
fn enter(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(parent, name, DIRECTORY, Mode::empty(), within)
}

/// Removes the directory `name` of `top`; directories in it become `top`'s own.
fn flatten(top: &OwnedFd, name: &CStr, moved: &mut u64) -> Result<(), Errno> {
    let directory = enter(top, name)?;
    for (entry, kind) in entries(&directory)? {
        if kind == FileType::Directory {
            loop {
                *moved += 1;
                let free = CString::new(format!(".podspawn-purge.{moved}")).map_err(|_| Errno::INVAL)?;
                // A mount point cannot be moved (EBUSY), and the mounted file system stays as it is.
                match renameat(&directory, &*entry, top, &*free) {
                    // The home may have our names already; an empty directory is replaced, which is as well.
                    Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                    done => break done?,
                }
            }
        } else {
            unlinkat(&directory, &*entry, AtFlags::empty())?;
        }
    }
    unlinkat(top, name, AtFlags::REMOVEDIR)
}

/// Everything in a directory.
fn entries(directory: impl AsFd) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => FileType::from_raw_mode(statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode),
            kind => kind,
        };
        entries.push((name.to_owned(), kind));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    #[test]
    fn a_tree_goes_and_what_its_links_lead_to_stays() {
        let root = tempfile::tempdir().unwrap();
        let (homes, other) = (root.path().join("homes"), root.path().join("other"));
        fs::create_dir_all(homes.join("alice/a/b/c")).unwrap();
        fs::create_dir_all(homes.join("alice/.podspawn-purge.1/full")).unwrap();
        fs::write(homes.join("alice/.podspawn-purge.2"), "").unwrap();
        fs::create_dir_all(homes.join("bob")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("precious"), "x").unwrap();
        fs::write(homes.join("alice/a/b/file"), "x").unwrap();
        fs::set_permissions(homes.join("alice/a/b/file"), Permissions::from_mode(0o4000)).unwrap();
        symlink(&other, homes.join("alice/link")).unwrap();
        symlink(&other, homes.join("alice/a/b/c/link")).unwrap();
        symlink("/", homes.join("alice/a/root")).unwrap();
        assert!(remove(&homes, "alice").unwrap());
        assert!(!homes.join("alice").exists() && homes.join("bob").exists() && other.join("precious").exists());
        assert!(!remove(&homes, "alice").unwrap());
        assert!(!remove(&root.path().join("absent"), "alice").unwrap());
    }

    #[test]
    fn a_link_in_the_place_of_a_home_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("precious"), "x").unwrap();
        symlink(&other, root.path().join("alice")).unwrap();
        assert!(remove(root.path(), "alice").unwrap_err().to_string().contains("not a directory"));
        assert!(other.join("precious").exists() && root.path().join("alice").exists());
    }

    #[test]
    fn what_is_mounted_in_a_home_stays() {
        use std::process::Command;
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("precious"), "x").unwrap();
        let mounts = |verb: &str, arguments: &[&Path]| {
            Command::new(verb).args(arguments).stderr(std::process::Stdio::null()).status().unwrap().success()
        };
        for place in ["alice", "alice/a", "alice/a/b/c"] {
            let mount = root.path().join(place);
            fs::create_dir_all(&mount).unwrap();
            // The same file system, so that only the mount itself shows. A host that forbids mounts needs no test.
            if !mounts("mount", &[Path::new("--bind"), &other, &mount]) {
                return;
            }
            let refused = remove(root.path(), "alice");
            // Its parent may have moved.
            let text = fs::read_to_string("/proc/self/mounts").unwrap();
            let mut places = text.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
            assert!(mounts("umount", &[places.find(|path| path.starts_with(root.path())).unwrap()]));
            assert!(refused.is_err(), "{place}");
            assert!(other.join("precious").exists(), "{place}");
        }
    }

    /// Longer than a path may be (4096 bytes), deeper than descriptors may be open (1024), and too deep for a recursion on
    /// [`STACK`]. The time grows with the square.
    const DEEP: usize = 4_000;

    /// Stack of the thread that removes the tree, in bytes: 64 for each level.
    const STACK: usize = 256 * 1024;

    #[test]
    fn a_tree_deeper_than_any_path_or_limit_of_descriptors_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = rustix::fs::open(root.path(), DIRECTORY, Mode::empty()).unwrap();
        for depth in 0..DEEP {
            let name = if depth == 0 { "alice" } else { "d" };
            rustix::fs::mkdirat(&directory, name, Mode::RWXU).unwrap();
            directory = rustix::fs::openat(&directory, name, DIRECTORY, Mode::empty()).unwrap();
        }
        drop(directory);
        std::thread::scope(|scope| {
            let remove = || assert!(remove(root.path(), "alice").unwrap());
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, remove).unwrap();
        });
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
