//! Files that cannot be changed on this host: NixOS makes them of its configuration, or their file system is mounted
//! read-only.

use rustix::fs::{StatVfsMountFlags, statvfs};
use std::path::{Path, PathBuf};

/// The directory of everything that NixOS's configuration makes.
const STORE: &str = "/nix/store";

/// Why a file cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Immutable {
    /// NixOS's configuration makes it.
    Nix {
        /// The file in the store.
        target: PathBuf,
    },
    /// Its file system is mounted read-only.
    ReadOnly,
}

impl Immutable {
    /// Why `path` cannot be changed, and what to do; `option` is the option of NixOS that makes it.
    #[must_use]
    pub fn message(&self, path: &Path, option: &str) -> String {
        let path = path.display();
        match self {
            Self::Nix { target } => {
                let target = target.display();
                format!("{path} is made by NixOS ({target}) and cannot be changed here: set {option} and rebuild")
            }
            Self::ReadOnly => format!(
                "{path} is on a read-only file system: mount it writable, or change it where the image is made (NixOS: {option})"
            ),
        }
    }
}

/// Why `path`, which need not exist, cannot be changed on this host; `None` if it can.
#[must_use]
pub fn check(path: &Path) -> Option<Immutable> {
    check_with(path, Path::new(STORE))
}

/// Whether `path` leads into Nix's store, whose files are never changed although a group may write to the directory.
#[must_use]
pub fn is_stored(path: &Path) -> bool {
    is_stored_with(path, Path::new(STORE))
}

fn is_stored_with(path: &Path, store: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real.starts_with(store) && real != store)
}

fn check_with(path: &Path, store: &Path) -> Option<Immutable> {
    // A missing file would be made in the nearest directory that exists. Of a link that leads nowhere, the target counts.
    let existing = path.ancestors().find(|part| part.symlink_metadata().is_ok())?;
    let target = existing.canonicalize().or_else(|_| existing.read_link()).ok()?;
    if target.starts_with(store) {
        return Some(Immutable::Nix { target });
    }
    let is_read_only = statvfs(&target).is_ok_and(|about| about.f_flag.contains(StatVfsMountFlags::RDONLY));
    is_read_only.then_some(Immutable::ReadOnly)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_link_into_the_store_is_found_at_any_part_of_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let store = root.join("store");
        fs::create_dir_all(store.join("etc/keys")).unwrap();
        fs::create_dir(root.join("keys")).unwrap();
        symlink(store.join("etc"), root.join("podspawn")).unwrap();
        symlink(store.join("gone"), root.join("keys/alice")).unwrap();
        for path in ["podspawn", "podspawn/keys/bob", "podspawn/new/file", "keys/alice"] {
            let found = check_with(&root.join(path), &store);
            assert!(matches!(found, Some(Immutable::Nix { .. })), "{path}: {found:?}");
        }
        for path in ["keys", "keys/bob", "new/file"] {
            assert_eq!(check_with(&root.join(path), &store), None, "{path}");
        }
        fs::write(store.join("program"), "").unwrap();
        symlink(store.join("program"), root.join("program")).unwrap();
        for (path, stored) in [("program", true), ("store/program", true), ("store", false), ("keys", false)] {
            assert_eq!(is_stored_with(&root.join(path), &store), stored, "{path}");
        }
        let text = Immutable::Nix { target: store }.message(Path::new("/etc/x"), "services.podspawn.enable = true");
        assert!(text.contains("/etc/x is made by NixOS") && text.contains("services.podspawn.enable"), "{text}");
    }
}
