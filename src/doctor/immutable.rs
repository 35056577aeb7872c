//! Files that are not this host's to change: what NixOS makes of its configuration, and what is mounted read-only.

use rustix::fs::{StatVfsMountFlags, statvfs};
use std::path::{Path, PathBuf};

/// Where NixOS keeps everything that its configuration says.
const STORE: &str = "/nix/store";

/// Why a file cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Immutable {
    /// It is made from NixOS's configuration.
    Nix {
        /// Where it really is.
        target: PathBuf,
    },
    /// Its file system is mounted read-only.
    ReadOnly,
}

impl Immutable {
    /// What is so and what to do; `option` is what NixOS's configuration has for it.
    #[must_use]
    pub fn told(&self, path: &Path, option: &str) -> String {
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

/// Whether `path`, which need not exist, is not to be changed here.
#[must_use]
pub fn check(path: &Path) -> Option<Immutable> {
    check_with(path, Path::new(STORE))
}

/// Whether `path` leads into Nix's store, whose content is nobody's to change although a group may write to the directory.
#[must_use]
pub fn is_stored(path: &Path) -> bool {
    is_stored_with(path, Path::new(STORE))
}

fn is_stored_with(path: &Path, store: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real.starts_with(store) && real != store)
}

fn check_with(path: &Path, store: &Path) -> Option<Immutable> {
    // What exists of it: a missing file is made in its directory. A link that leads nowhere tells by its target.
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
        let told = Immutable::Nix { target: store }.told(Path::new("/etc/x"), "services.podspawn.enable = true");
        assert!(told.contains("/etc/x is made by NixOS") && told.contains("services.podspawn.enable"), "{told}");
    }
}
