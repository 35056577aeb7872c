//! The configuration as it would be, for sshd to judge before anything is changed.
//!
//! A copy of the main file in a directory that only we can read. Where a drop-in changes, the `Include` that reads it
//! is written out as the list of files that it means, with the new one in its place.

use super::place::{Change, Place};
use crate::sshd::{MainFile, block::FILE_NAME, pattern};
use anyhow::Context as _;
use rustix::fs::{Mode, mkdir};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The copy; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Candidate {
    directory: PathBuf,
    real: PathBuf,
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // What stays after a failure is some text in a directory of ours.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Candidate {
    pub(super) fn new(place: &Place, changes: &[Change]) -> anyhow::Result<Self> {
        let directory = private_directory()?;
        let candidate = Self { directory, real: place.main.clone() };
        let of = |path: &Path| changes.iter().find(|change| change.path == path);
        let mut text = of(&place.main).and_then(|change| change.new.clone()).unwrap_or_else(|| place.text.clone());
        if let Some(change) = place.drop_in.as_ref().and_then(|(path, _)| of(path)) {
            let new = candidate.directory.join(FILE_NAME);
            if let Some(content) = &change.new {
                fs::write(&new, content).with_context(|| format!("{}", new.display()))?;
            }
            text = with_drop_in(&text, &change.path, change.new.is_some().then_some(&new))?;
        }
        fs::write(candidate.config(), text).with_context(|| format!("{}", candidate.config().display()))?;
        Ok(candidate)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory.join("sshd_config")
    }

    /// What sshd said about the copy, as if it were about the files themselves.
    pub(super) fn translate(&self, said: &str) -> String {
        said.replace(&*self.config().to_string_lossy(), &self.real.to_string_lossy())
    }
}

/// `text` with the `Include` that reads `drop_in` written out, and `new` in the place of it.
fn with_drop_in(text: &str, drop_in: &Path, new: Option<&PathBuf>) -> anyhow::Result<String> {
    let found = MainFile::new(text).includes().into_iter().find_map(|include| {
        let (number, path) = include.covers(FILE_NAME)?;
        (path == drop_in).then_some((include, number))
    });
    let (include, number) = found.context("the Include is gone")?;
    let mut words = Vec::new();
    for (position, written) in include.patterns.iter().enumerate() {
        if position == number {
            words.extend(files(drop_in, written, new)?);
        } else {
            words.push(written.clone());
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let line = if words.is_empty() { String::new() } else { format!("Include {}", words.join(" ")) };
    let lines = text.lines().enumerate().map(|(at, old)| if at == include.line { line.as_str() } else { old });
    Ok(lines.chain([""]).collect::<Vec<_>>().join("\n"))
}

/// What glob(3) would give for the pattern, in its order.
fn files(drop_in: &Path, written: &str, new: Option<&PathBuf>) -> anyhow::Result<Vec<String>> {
    let directory = drop_in.parent().context("a drop-in has a directory")?;
    let wanted = Path::new(written).file_name().and_then(|name| name.to_str()).context("an Include names a file")?;
    let mut names = vec![FILE_NAME.to_owned()];
    for entry in fs::read_dir(directory).with_context(|| format!("{}", directory.display()))? {
        let name = entry?.file_name().into_string().ok().context("a file name in sshd_config.d is not UTF-8")?;
        if name != FILE_NAME && !name.starts_with('.') && pattern::matches(&name, wanted) {
            anyhow::ensure!(!name.contains('"'), "a file name in {} has a quote in it", directory.display());
            names.push(name);
        }
    }
    names.sort();
    let path = |name: String| match (name == FILE_NAME, new) {
        (true, None) => None,
        (true, Some(new)) => Some(new.to_string_lossy().into_owned()),
        (false, _) => Some(directory.join(name).to_string_lossy().into_owned()),
    };
    Ok(names.into_iter().filter_map(path).collect())
}

/// A directory in `/run`, where only root can put anything: a name that others could take first would be theirs.
fn private_directory() -> anyhow::Result<PathBuf> {
    for attempt in 0..100 {
        let path = Path::new("/run").join(format!("podspawn-setup.{}.{attempt}", std::process::id()));
        match mkdir(&path, Mode::RWXU) {
            Ok(()) => return Ok(path),
            // Left by one that was killed.
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
        }
    }
    anyhow::bail!("/run is full of podspawn-setup directories: remove them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_include_is_written_out_with_the_new_file_in_its_place() {
        let etc = tempfile::tempdir().unwrap();
        let directory = etc.path().display();
        for name in ["90-z.conf", "10-a.conf", ".hidden.conf", "note.txt", "50-podspawn.conf"] {
            fs::write(etc.path().join(name), "").unwrap();
        }
        let drop_in = etc.path().join(FILE_NAME);
        let text = format!("# Include\nInclude /x/*.cf {directory}/*.conf \"/y z/*\"\nPort 22\n");
        let new = PathBuf::from("/run/new/50-podspawn.conf");
        assert_eq!(
            with_drop_in(&text, &drop_in, Some(&new)).unwrap(),
            format!(
                "# Include\nInclude \"/x/*.cf\" \"{directory}/10-a.conf\" \"/run/new/50-podspawn.conf\" \
                 \"{directory}/90-z.conf\" \"/y z/*\"\nPort 22\n"
            )
        );
        let without = with_drop_in(&format!("Include {directory}/50*.conf"), &drop_in, None).unwrap();
        assert_eq!(without, "\n");
    }
}
