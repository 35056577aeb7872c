//! Where podspawn's block belongs, and which files change for it.

use crate::{
    doctor::Finding,
    sshd::{
        MainFile,
        block::{self, Block, FILE_NAME},
    },
};
use anyhow::Context as _;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Largest configuration file, in bytes; sshd's own are some KiB.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that is to have another content; `None` is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// What there is, before anything is decided.
#[derive(Debug)]
pub(super) struct Place {
    /// The configuration file itself, no link to it.
    pub(super) main: PathBuf,
    pub(super) text: String,
    /// A drop-in that sshd would read for everybody, and its content if it exists.
    pub(super) drop_in: Option<(PathBuf, Option<String>)>,
}

impl Place {
    /// Looks at `config`.
    pub(super) fn of(config: &Path) -> anyhow::Result<Self> {
        let main = config.canonicalize().with_context(|| format!("{}", config.display()))?;
        let text = read(&main)?.with_context(|| format!("{} is gone", main.display()))?;
        let drop_in = match drop_in(&main, &text) {
            Some(path) => {
                let content = read(&path)?;
                Some((path, content))
            }
            None => None,
        };
        Ok(Self { main, text, drop_in })
    }

    /// The changes that put `block` in force, none if it is already; or why somebody has to decide first.
    pub(super) fn setup(&self, block: &Block) -> Result<Vec<Change>, Finding> {
        let text = block.text();
        let Some((path, content)) = &self.drop_in else {
            let new = block::insert(&self.text, &text).map_err(|error| self.marks(error))?;
            return Ok(self.main_change(new).into_iter().collect());
        };
        if let Some(content) = content.as_ref().filter(|content| **content != text && !block.is_like(content)) {
            return Err(different(path, content));
        }
        let change = Change { path: path.clone(), old: content.clone(), new: Some(text) };
        let mut changes: Vec<Change> = Some(change).into_iter().filter(|change| change.old != change.new).collect();
        // It stood in the file itself before there was an Include: twice, the older one would be in force as well.
        changes.extend(self.without_block()?);
        Ok(changes)
    }

    /// The changes that take `block` out of force.
    pub(super) fn remove(&self, block: &Block) -> Result<Vec<Change>, Finding> {
        let mut changes = Vec::new();
        if let Some((path, Some(content))) = &self.drop_in {
            if !block.is_like(content) {
                return Err(different(path, content));
            }
            changes.push(Change { path: path.clone(), old: Some(content.clone()), new: None });
        }
        changes.extend(self.without_block()?);
        Ok(changes)
    }

    fn without_block(&self) -> Result<Option<Change>, Finding> {
        let without = block::remove(&self.text).map_err(|error| self.marks(error))?;
        Ok(without.and_then(|new| self.main_change(new)))
    }

    fn main_change(&self, new: String) -> Option<Change> {
        (new != self.text).then(|| Change { path: self.main.clone(), old: Some(self.text.clone()), new: Some(new) })
    }

    fn marks(&self, error: block::MarkError) -> Finding {
        Finding::broken(format!("{}", self.main.display()), error.to_string())
    }
}

fn different(path: &Path, content: &str) -> Finding {
    let path = path.display();
    let what = if content.trim().is_empty() { "is empty" } else { "is not what this podspawn writes" };
    Finding::broken(
        format!("{path} exists and {what}"),
        format!("if nothing in it is yours, move it away: mv {path} {path}.old, and run this again"),
    )
}

/// The drop-in that `main` with `text` would read, in a directory beside it: one elsewhere may be another sshd's.
fn drop_in(main: &Path, text: &str) -> Option<PathBuf> {
    let beside = main.parent()?;
    let includes = MainFile::new(text).includes();
    let mut covered = includes.iter().filter_map(|include| include.covers(FILE_NAME)).map(|(_, path)| path);
    covered.find(|path| {
        let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
        directory.is_some_and(|directory| directory.starts_with(beside))
    })
}

/// The text of a file; `None` if there is none.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about.with_context(|| format!("{}", path.display()))?,
    };
    anyhow::ensure!(about.is_file(), "{} is not a regular file", path.display());
    anyhow::ensure!(about.len() <= MAX_BYTES, "{} is larger than {MAX_BYTES} bytes", path.display());
    let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
    let text = String::from_utf8(bytes).ok().with_context(|| format!("{} is not UTF-8 text", path.display()))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Etc(tempfile::TempDir);

    impl Etc {
        fn new(main: &str) -> Self {
            let etc = Self(tempfile::tempdir().unwrap());
            fs::create_dir(etc.0.path().join("sshd_config.d")).unwrap();
            etc.write("sshd_config", &main.replace('@', etc.0.path().to_str().unwrap()));
            etc
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).unwrap();
        }

        fn place(&self) -> Place {
            Place::of(&self.0.path().join("sshd_config")).unwrap()
        }
    }

    fn block() -> Block {
        Block::new("/usr/bin/podspawn".into())
    }

    #[test]
    fn the_drop_in_is_used_where_it_is_read_and_the_file_itself_where_it_is_not() {
        let etc = Etc::new("Include @/sshd_config.d/*.conf\n");
        let changes = etc.place().setup(&block()).unwrap();
        assert_eq!(changes.len(), 1);
        assert!(changes[0].path.ends_with("sshd_config.d/50-podspawn.conf") && changes[0].old.is_none());
        etc.write("sshd_config.d/50-podspawn.conf", &block().text());
        assert_eq!(etc.place().setup(&block()).unwrap(), []);
        let other = Block::new("/opt/podspawn".into());
        assert_eq!(etc.place().setup(&other).unwrap()[0].new, Some(other.text()));

        for main in
            ["Port 22\n", "Match User x\nInclude @/sshd_config.d/*.conf\n", "Include /etc/ssh/sshd_config.d/*.conf"]
        {
            let changes = Etc::new(main).place().setup(&block()).unwrap();
            assert!(changes.len() == 1 && changes[0].path.ends_with("sshd_config"), "{main}: {changes:?}");
        }
    }

    #[test]
    fn a_block_in_the_file_moves_to_the_drop_in_once_there_is_one() {
        let etc = Etc::new("Port 22\n");
        let first = etc.place().setup(&block()).unwrap().remove(0);
        let include = format!("Include {}/sshd_config.d/*.conf\n", etc.0.path().display());
        etc.write("sshd_config", &format!("{include}{}", first.new.unwrap()));
        let changes = etc.place().setup(&block()).unwrap();
        assert_eq!(changes.len(), 2);
        assert_eq!(changes[1].new.as_deref(), Some(&*format!("{include}Port 22\n")));
    }

    #[test]
    fn a_drop_in_that_somebody_changed_is_neither_replaced_nor_removed() {
        let etc = Etc::new("Include @/sshd_config.d/*.conf\n");
        let changed = block().text().replace("AllowTcpForwarding no", "AllowTcpForwarding yes");
        for content in [changed.as_str(), "", "# mine\n"] {
            etc.write("sshd_config.d/50-podspawn.conf", content);
            assert!(etc.place().setup(&block()).unwrap_err().is_broken());
            assert!(etc.place().remove(&block()).unwrap_err().what.contains("50-podspawn.conf"));
        }
    }

    #[test]
    fn removing_undoes_what_setup_did() {
        for main in ["Include @/sshd_config.d/*.conf\nPort 22", "Port 22", "Port 22\nMatch User x\n  PermitTTY no\n"] {
            let etc = Etc::new(main);
            let before = etc.place();
            assert_eq!(before.remove(&block()).unwrap(), []);
            for change in before.setup(&block()).unwrap() {
                fs::write(change.path, change.new.unwrap()).unwrap();
            }
            for change in etc.place().remove(&block()).unwrap() {
                match change.new {
                    Some(text) => fs::write(change.path, text).unwrap(),
                    None => fs::remove_file(change.path).unwrap(),
                }
            }
            let after = etc.place();
            assert_eq!((after.text, after.drop_in), (before.text, before.drop_in));
        }
    }

    #[test]
    fn what_is_no_text_is_not_touched() {
        let etc = Etc::new("");
        fs::write(etc.0.path().join("sshd_config"), b"# \xe4\n").unwrap();
        assert!(Place::of(&etc.0.path().join("sshd_config")).unwrap_err().to_string().contains("UTF-8"));
        assert!(Place::of(&etc.0.path().join("sshd_config.d")).unwrap_err().to_string().contains("regular file"));
        assert!(Place::of(&etc.0.path().join("absent")).is_err());
    }
}
