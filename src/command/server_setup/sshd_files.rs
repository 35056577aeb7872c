//! The place of podspawn's block in sshd's configuration, and the files that change for it.
//!
//! sshd takes the first value, so the block has to be read before every other `Match` block. A drop-in usually is. Where
//! it is not, or where no drop-in is read, the first line of `sshd_config` includes a file of podspawn's own.

use crate::{
    doctor::Report,
    sshd::{
        MainFile,
        block::{self, Block, EARLIER_NAME, FILE_NAME, OWN_FILE},
        order::Reading,
    },
    sys::glob::glob,
};
use anyhow::Context as _;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The name by which reports of this verb go.
pub(super) const VERB: &str = "server-setup";
/// Largest configuration file, in bytes; sshd's own are some KiB.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that is to have another content; `None` is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// sshd's files that concern podspawn, as they are.
#[derive(Debug)]
pub(super) struct SshdFiles {
    /// The configuration file itself, no link to it.
    pub(super) main: PathBuf,
    pub(super) text: String,
    /// The file that sshd reads, or would read, before every `Match` block of others.
    target: Target,
    /// Files where podspawn's block may be, each with its content if it exists; the target is among them.
    own: Vec<(PathBuf, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// A drop-in.
    DropIn(PathBuf),
    /// A file beside `sshd_config`, which has to include it.
    Included(PathBuf),
}

impl SshdFiles {
    /// Reads `config`, where `block` is to be.
    pub(super) fn of(config: &Path, block: &Block) -> anyhow::Result<Self> {
        let main = config.canonicalize().with_context(|| format!("{}", config.display()))?;
        let text = read(&main)?.with_context(|| format!("{} is gone", main.display()))?;
        let included = main.with_file_name(OWN_FILE);
        let mut own = Vec::new();
        for path in drop_ins(&main, &text).into_iter().chain([included.clone()]) {
            let content = read(&path)?;
            own.push((path, content));
        }
        let target = first(&main, &text, block)?.map_or(Target::Included(included), Target::DropIn);
        Ok(Self { main, text, target, own })
    }

    /// The changes that put `block` in force, none if it is already; or what an administrator has to decide first. After
    /// each of them, in their order, it is in force if it was before.
    pub(super) fn setup(&self, block: &Block) -> Result<Vec<Change>, Report> {
        let (path, main) = match &self.target {
            Target::DropIn(path) => (path, self.without_marks()?),
            Target::Included(path) => {
                let marked = block::include(&self.text, path).map_err(|error| self.marks(error))?;
                (path, self.main_change(marked))
            }
        };
        let old = self.own.iter().find(|(own, _)| own == path).and_then(|(_, content)| content.clone());
        if let Some(content) = old.as_ref().filter(|content| !block.is_like(content)) {
            return Err(different(path, content));
        }
        let change = Change { path: path.clone(), old, new: Some(block.text()) };
        let mut changes: Vec<Change> = Some(change).into_iter().filter(|change| change.old != change.new).collect();
        changes.extend(main);
        // Its earlier place: an older block there could be in force as well.
        changes.extend(self.removals(block, Some(path))?);
        Ok(changes)
    }

    /// The changes that take `block` out of force.
    pub(super) fn remove(&self, block: &Block) -> Result<Vec<Change>, Report> {
        let mut changes: Vec<Change> = self.without_marks()?.into_iter().collect();
        changes.extend(self.removals(block, None)?);
        Ok(changes)
    }

    fn removals(&self, block: &Block, but: Option<&Path>) -> Result<Vec<Change>, Report> {
        let mut changes = Vec::new();
        for (path, content) in self.own.iter().filter(|(path, _)| Some(&**path) != but) {
            let Some(content) = content else { continue };
            if block.is_like(content) {
                changes.push(Change { path: path.clone(), old: Some(content.clone()), new: None });
            } else if path.file_name().is_some_and(|name| name != OWN_FILE) {
                return Err(different(path, content));
            }
        }
        Ok(changes)
    }

    fn without_marks(&self) -> Result<Option<Change>, Report> {
        let without = block::remove(&self.text).map_err(|error| self.marks(error))?;
        Ok(without.and_then(|new| self.main_change(new)))
    }

    fn main_change(&self, new: String) -> Option<Change> {
        (new != self.text).then(|| Change { path: self.main.clone(), old: Some(self.text.clone()), new: Some(new) })
    }

    fn marks(&self, error: block::MarkError) -> Report {
        Report::fail(VERB, format!("{}", self.main.display()), error.to_string())
    }
}

fn different(path: &Path, content: &str) -> Report {
    let path = path.display();
    let what = if content.trim().is_empty() { "is empty" } else { "is not what this podspawn writes" };
    Report::fail(
        VERB,
        format!("{path} exists and {what}"),
        format!("if nothing in it is yours, move it away: mv {path} {path}.old, and run this again"),
    )
}

/// Every drop-in of podspawn's, of today and of before, that `main` with `text` would read.
fn drop_ins(main: &Path, text: &str) -> Vec<PathBuf> {
    let includes = MainFile::new(text).includes();
    let named = |name: &'static str| includes.iter().filter_map(move |include| include.covers(name));
    let mut paths: Vec<PathBuf> = named(FILE_NAME)
        .chain(named(EARLIER_NAME))
        .map(|(_, path)| path)
        .filter(|path| is_beside(main, path))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The drop-in that is read, or would be, before every `Match` block of others; `None` if there is no such place.
fn first(main: &Path, text: &str, block: &Block) -> anyhow::Result<Option<PathBuf>> {
    for include in MainFile::new(text).includes().into_iter().filter(|include| include.is_unconditional) {
        let covered = include.covers(FILE_NAME).filter(|(_, path)| is_beside(main, path));
        for (number, pattern) in include.patterns.iter().enumerate() {
            let drop_in = covered.as_ref().filter(|(place, _)| *place == number).map(|(_, path)| path);
            for file in glob(&include.path(pattern).to_string_lossy())? {
                let is_before = drop_in.is_none_or(|drop_in| file < *drop_in);
                if is_before && !is_podspawns(&file, block)? && !Reading::of(&file)?.blocks.is_empty() {
                    return Ok(None);
                }
            }
            if let Some(drop_in) = drop_in {
                return Ok(Some(drop_in.clone()));
            }
        }
    }
    Ok(None)
}

fn is_podspawns(file: &Path, block: &Block) -> anyhow::Result<bool> {
    Ok(read(file)?.is_some_and(|content| block.is_like(&content)))
}

/// Whether `path` is in a directory beside `main`: one elsewhere may be another sshd's.
fn is_beside(main: &Path, path: &Path) -> bool {
    let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
    directory.zip(main.parent()).is_some_and(|(directory, beside)| directory.starts_with(beside))
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

        fn read(&self) -> SshdFiles {
            SshdFiles::of(&self.0.path().join("sshd_config"), &block()).unwrap()
        }
    }

    fn block() -> Block {
        Block::new("/usr/bin/podspawn".into())
    }

    /// The files of the changes, in their order; those that go have a minus.
    fn changed(etc: &Etc) -> Vec<String> {
        let changes = etc.read().setup(&block()).unwrap();
        let name = |change: &Change| {
            let name = change.path.strip_prefix(etc.0.path().canonicalize().unwrap()).unwrap_or(&change.path);
            format!("{}{}", if change.new.is_some() { "" } else { "-" }, name.display())
        };
        changes.iter().map(name).collect()
    }

    fn make(changes: Vec<Change>) {
        for change in changes {
            match change.new {
                Some(text) => fs::write(change.path, text).unwrap(),
                None => fs::remove_file(change.path).unwrap(),
            }
        }
    }

    const OTHERS: &str = "Match User x\n  PermitTTY no\n";

    #[test]
    fn the_drop_in_is_used_where_it_is_read_first_and_the_first_line_where_it_is_not() {
        let etc = Etc::new("Port 22\nInclude @/sshd_config.d/*.conf\n");
        etc.write("sshd_config.d/00-a.conf", "PermitTunnel yes\n");
        etc.write("sshd_config.d/10-b.conf", OTHERS);
        assert_eq!(changed(&etc), ["sshd_config.d/00-podspawn.conf"]);
        make(etc.read().setup(&block()).unwrap());
        assert_eq!(etc.read().setup(&block()).unwrap(), []);
        let other = Block::new("/opt/podspawn".into());
        assert_eq!(etc.read().setup(&other).unwrap()[0].new, Some(other.text()));

        // Another block is read before it: it moves, and back once that block is gone.
        etc.write("sshd_config.d/00-a.conf", OTHERS);
        assert_eq!(changed(&etc), ["podspawn.conf", "sshd_config", "-sshd_config.d/00-podspawn.conf"]);
        make(etc.read().setup(&block()).unwrap());
        assert_eq!(etc.read().setup(&block()).unwrap(), []);
        etc.write("sshd_config.d/00-a.conf", "");
        assert_eq!(changed(&etc), ["sshd_config.d/00-podspawn.conf", "sshd_config", "-podspawn.conf"]);

        for main in [
            "Port 22\n",
            "Match User x\nInclude @/sshd_config.d/*.conf\n",
            "Include /etc/ssh/sshd_config.d/00-*.conf\n",
            "Include @/other.conf @/sshd_config.d/*.conf\n",
        ] {
            let etc = Etc::new(main);
            etc.write("other.conf", OTHERS);
            assert_eq!(changed(&etc), ["podspawn.conf", "sshd_config"], "{main}");
            // An earlier drop-in that is not read first is removed.
            if main.contains("@/sshd_config.d") {
                etc.write("sshd_config.d/50-podspawn.conf", &block().text());
                let moved = ["podspawn.conf", "sshd_config", "-sshd_config.d/50-podspawn.conf"];
                assert_eq!(changed(&etc), moved, "{main}");
            }
        }
    }

    #[test]
    fn an_earlier_block_moves_to_where_it_is_read_first() {
        let etc = Etc::new("Include @/sshd_config.d/*.conf\n");
        etc.write("sshd_config.d/50-podspawn.conf", &block().text());
        assert_eq!(changed(&etc), ["sshd_config.d/00-podspawn.conf", "-sshd_config.d/50-podspawn.conf"]);

        let etc = Etc::new("Port 22\n");
        make(etc.read().setup(&block()).unwrap());
        let text = fs::read_to_string(etc.0.path().join("sshd_config")).unwrap();
        etc.write("sshd_config", &format!("{text}Include {}/sshd_config.d/*.conf\n", etc.0.path().display()));
        assert_eq!(changed(&etc), ["sshd_config.d/00-podspawn.conf", "sshd_config", "-podspawn.conf"]);
    }

    #[test]
    fn a_changed_drop_in_is_neither_replaced_nor_removed() {
        for name in ["00-podspawn.conf", "50-podspawn.conf"] {
            let etc = Etc::new("Include @/sshd_config.d/*.conf\n");
            let changed = block().text().replace("AllowTcpForwarding no", "AllowTcpForwarding yes");
            for content in [changed.as_str(), "", "# mine\n"] {
                etc.write(&format!("sshd_config.d/{name}"), content);
                assert!(etc.read().setup(&block()).unwrap_err().is_failure());
                assert!(etc.read().remove(&block()).unwrap_err().seen.contains(name));
            }
        }
        // A file of another content does not matter as long as it is not needed.
        let etc = Etc::new("Include @/sshd_config.d/*.conf\n");
        etc.write("podspawn.conf", "# mine\n");
        assert_eq!(changed(&etc), ["sshd_config.d/00-podspawn.conf"]);
        etc.write("sshd_config", "Port 22\n");
        assert!(etc.read().setup(&block()).unwrap_err().seen.contains("podspawn.conf exists"));
    }

    #[test]
    fn removing_undoes_what_setup_did() {
        for main in ["Include @/sshd_config.d/*.conf\nPort 22", "Port 22", "Port 22\nMatch User x\n  PermitTTY no\n"] {
            let etc = Etc::new(main);
            let before = etc.read();
            assert_eq!(before.remove(&block()).unwrap(), []);
            make(before.setup(&block()).unwrap());
            make(etc.read().remove(&block()).unwrap());
            let after = etc.read();
            assert_eq!((after.text, after.own), (before.text, before.own));
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_not_changed() {
        let etc = Etc::new("");
        fs::write(etc.0.path().join("sshd_config"), b"# \xe4\n").unwrap();
        assert!(SshdFiles::of(&etc.0.path().join("sshd_config"), &block()).unwrap_err().to_string().contains("UTF-8"));
        assert!(
            SshdFiles::of(&etc.0.path().join("sshd_config.d"), &block())
                .unwrap_err()
                .to_string()
                .contains("regular file")
        );
        assert!(SshdFiles::of(&etc.0.path().join("absent"), &block()).is_err());
    }
}
