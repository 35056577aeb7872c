//! A persistent home of the name of a new user: the files of an earlier user of that name.

use crate::{domain::UserName, settings, sys::clock};
use anyhow::Context as _;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::path::{Path, PathBuf};

/// A home that an earlier user left.
#[derive(Debug)]
pub(super) struct OldHome(PathBuf);

/// The home that `user` would find, if there is one.
pub(super) fn find(user: &UserName) -> anyhow::Result<Option<OldHome>> {
    let settings = settings::load(Path::new(settings::ROOT))
        .map_err(|_| anyhow::anyhow!("where homes are cannot be read from the configuration: podspawn check-config"))?;
    Ok(below(settings.config.state.homes_dir.as_path(), user))
}

fn below(homes: &Path, user: &UserName) -> Option<OldHome> {
    let home = homes.join(user.as_ref());
    home.symlink_metadata().is_ok().then_some(OldHome(home))
}

impl OldHome {
    /// Why nothing was done.
    pub(super) fn refusal(&self, user: &UserName) -> String {
        format!(
            "{} has the files of an earlier user {user}: say --keep-home if {user} gets them, --new-home if not; nothing \
             was changed",
            self.0.display()
        )
    }

    /// That the user gets it.
    pub(super) fn kept(&self, user: &UserName) -> String {
        format!("{user} gets the files in {}", self.0.display())
    }

    /// Moves it aside, under a name that no user has; returns a line about it.
    pub(super) fn move_aside(&self) -> anyhow::Result<String> {
        let name = self.0.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.0.with_file_name(format!(".{name}.{}", clock::unix_seconds()));
        renameat_with(CWD, &self.0, CWD, &aside, RenameFlags::NOREPLACE)
            .with_context(|| format!("moving {} to {}", self.0.display(), aside.display()))?;
        Ok(format!("moved {} to {}", self.0.display(), aside.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_home_that_is_moved_aside_is_kept_under_a_name_that_no_user_has() {
        let root = tempfile::tempdir().unwrap();
        let user: UserName = "alice".parse().unwrap();
        assert!(below(root.path(), &user).is_none());
        fs::create_dir(root.path().join("alice")).unwrap();
        fs::write(root.path().join("alice/mine"), "x").unwrap();
        let line = below(root.path(), &user).unwrap().move_aside().unwrap();
        assert!(below(root.path(), &user).is_none());
        let aside = PathBuf::from(line.rsplit(' ').next().unwrap());
        assert_eq!(fs::read(aside.join("mine")).unwrap(), b"x");
        assert!(aside.file_name().unwrap().to_str().unwrap().parse::<UserName>().is_err());
        // A link is whatever it is, and moved as such.
        std::os::unix::fs::symlink("/etc", root.path().join("alice")).unwrap();
        assert!(below(root.path(), &user).unwrap().refusal(&user).contains("--keep-home"));
    }
}
