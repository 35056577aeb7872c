//! A copy of the configuration as it would be, for sshd to check before anything is changed.
//!
//! It is in a directory that only root can read. Where a file beside the main one changes, the `Include` that reads it is
//! written out as the list of its files, with the new one in its place.

use super::sshd_files::{Change, SshdFiles};
use crate::{
    sshd::{Include, MainFile},
    sys::glob::glob,
};
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
        // A failure leaves some text in a directory of root's.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Candidate {
    pub(super) fn new(files: &SshdFiles, changes: &[Change]) -> anyhow::Result<Self> {
        let directory = private_directory()?;
        let candidate = Self { directory, real: files.main.clone() };
        let mut text = files.text.clone();
        // Each file of podspawn's that changes, and its new copy.
        let mut others = Vec::new();
        for Change { path, new, .. } in changes {
            match new {
                Some(new) if *path == files.main => text.clone_from(new),
                Some(new) => {
                    let copy = candidate.directory.join(path.file_name().context("a file has a name")?);
                    fs::write(&copy, new).with_context(|| format!("{}", copy.display()))?;
                    others.push((path.clone(), Some(copy)));
                }
                None => others.push((path.clone(), None)),
            }
        }
        let text = with(&text, &others)?;
        fs::write(candidate.config(), text).with_context(|| format!("{}", candidate.config().display()))?;
        Ok(candidate)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory.join("sshd_config")
    }

    /// sshd's message about the copy, with the names of the files themselves.
    pub(super) fn translate(&self, said: &str) -> String {
        said.replace(&*self.config().to_string_lossy(), &self.real.to_string_lossy())
    }
}

/// A file that changes, and its new copy; `None` if it is removed.
type Other = (PathBuf, Option<PathBuf>);

/// `text` with every `Include` that reads one of `others` written out, and their copies in the places of them.
fn with(text: &str, others: &[Other]) -> anyhow::Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for include in MainFile::new(text).includes() {
        let mut words = Vec::new();
        let mut is_other = false;
        for written in &include.patterns {
            let read: Vec<&Other> = others.iter().filter(|(path, _)| reads(&include, written, path)).collect();
            is_other |= !read.is_empty();
            if read.is_empty() {
                words.push(written.clone());
            } else {
                words.extend(files(&include.path(written), &read)?);
            }
        }
        if is_other {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            lines[include.line] = if words.is_empty() { String::new() } else { format!("Include {}", words.join(" ")) };
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn reads(include: &Include, written: &str, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    include.place(written, name).is_some_and(|place| place == path)
}

/// The files that sshd would read for the pattern, in its order.
fn files(pattern: &Path, others: &[&Other]) -> anyhow::Result<Vec<String>> {
    let mut files = glob(&pattern.to_string_lossy())?;
    files.extend(others.iter().map(|(path, _)| path.clone()));
    files.sort();
    files.dedup();
    let mut words = Vec::new();
    for file in files {
        let copy = match others.iter().find(|(path, _)| *path == file) {
            Some((_, None)) => continue,
            Some((_, Some(copy))) => copy.clone(),
            None => file,
        };
        let word = copy.to_str().filter(|word| !word.contains('"'));
        words.push(word.with_context(|| format!("{} is no name for an Include", copy.display()))?.to_owned());
    }
    Ok(words)
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
        let other = |name: &str, copy: Option<&str>| (etc.path().join(name), copy.map(PathBuf::from));
        let text = format!("# Include\nInclude /x/*.cf {directory}/*.conf \"/y z/*\"\nPort 22\n");
        let moved = [other("00-podspawn.conf", Some("/run/new/00-podspawn.conf")), other("50-podspawn.conf", None)];
        assert_eq!(
            with(&text, &moved).unwrap(),
            format!(
                "# Include\nInclude \"/x/*.cf\" \"/run/new/00-podspawn.conf\" \"{directory}/10-a.conf\" \
                 \"{directory}/90-z.conf\" \"/y z/*\"\nPort 22\n"
            )
        );
        assert_eq!(with(&format!("Include {directory}/50*.conf"), &moved).unwrap(), "\n");
        let line = format!("Include \"{directory}/podspawn.conf\"\nPort 22\n");
        let own = [other("podspawn.conf", Some("/run/new/podspawn.conf"))];
        assert_eq!(with(&line, &own).unwrap(), "Include \"/run/new/podspawn.conf\"\nPort 22\n");
        assert_eq!(with("Include /x/*.cf\nPort 22\n", &own).unwrap(), "Include /x/*.cf\nPort 22\n");
    }
}
