//! The copy of this binary that containers run.
//!
//! It is a copy, named by its content, and not the installed file: an upgrade, a package's removal or a Nix garbage
//! collection must not pull it from under a container.

use crate::{
    domain::text::hex,
    sys::{crash, elf, replace::Replacement},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Seek},
    path::{Path, PathBuf},
};
use tokio::sync::OnceCell;

/// Where the copies are, and of what.
pub struct GuestBinary {
    executable: PathBuf,
    directory: PathBuf,
    copy: OnceCell<PathBuf>,
}

impl GuestBinary {
    /// Copies of `executable` go to `directory`, which is made when needed.
    #[must_use]
    pub fn new(executable: PathBuf, directory: PathBuf) -> Self {
        Self { executable, directory, copy: OnceCell::new() }
    }

    /// The copy's path, made at the first call: activating the broker does not wait for it.
    pub(super) async fn path(&self) -> io::Result<PathBuf> {
        let copy = || async {
            let (executable, directory) = (self.executable.clone(), self.directory.clone());
            tokio::task::spawn_blocking(move || install(&executable, &directory)).await.map_err(io::Error::other)?
        };
        self.copy.get_or_try_init(copy).await.cloned()
    }

    /// Removes every other copy. Only while no container exists.
    pub(super) fn remove_others(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten().filter(|entry| Some(&entry.path()) != self.copy.get()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Copies `executable` into `directory` under the SHA-256 of its content, unless it is there.
fn install(executable: &Path, directory: &Path) -> io::Result<PathBuf> {
    let mut source = File::open(executable)?;
    if let Some(loader) = elf::interpreter(&source)? {
        let path = executable.display();
        let why =
            format!("{path} is not static and wants {loader}, which a container need not have: install a static build");
        return Err(io::Error::other(why));
    }
    // In pieces: the whole would stay in the broker's memory for the rest of its life.
    let mut hash = Sha256::new();
    let length = io::copy(&mut source, &mut hash)?;
    let path = directory.join(hex(&hash.finalize()));
    if fs::metadata(&path).is_ok_and(|found| found.len() == length) {
        return Ok(path);
    }
    fs::create_dir_all(directory)?;
    // Complete under another name first: a container must never see half a guest.
    // The directory keeps this host's users out; inside any uid must be able to run it.
    Replacement::new(0o555).durable().fill(&path, |file| {
        source.rewind()?;
        io::copy(&mut source, file)?;
        crash::point("guest.half-copied");
        Ok(())
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_program_that_is_not_static_is_never_given_to_a_container() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("guest");
        let error = install(Path::new("/bin/sh"), &directory).unwrap_err().to_string();
        assert!(error.contains("/bin/sh is not static"), "{error}");
        assert!(!directory.exists());
    }

    #[test]
    fn a_copy_is_named_by_its_content_and_outlives_the_original() {
        let root = tempfile::tempdir().unwrap();
        let (executable, directory) = (root.path().join("podspawn"), root.path().join("guest"));
        fs::write(&executable, "one").unwrap();
        let first = install(&executable, &directory).unwrap();
        assert_eq!(install(&executable, &directory).unwrap(), first);
        fs::write(&executable, "two").unwrap();
        let second = install(&executable, &directory).unwrap();
        fs::remove_file(&executable).unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(fs::metadata(&second).unwrap().permissions().mode() & 0o777, 0o555);
        // A copy that was cut short, by a full disk say, is made again.
        fs::remove_file(&first).unwrap();
        fs::write(&first, "o").unwrap();
        fs::write(&executable, "one").unwrap();
        assert_eq!(fs::read_to_string(install(&executable, &directory).unwrap()).unwrap(), "one");
    }
}
