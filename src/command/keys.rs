//! One user's file of public keys, as its administrator changes it: read and written whole.
//!
//! `auth_keys` interprets the lines; here they are kept as they were written, with options and comments.

use super::auth_keys::{self, KeyFileError, Line, MAX_KEYS, ROOT};
use crate::{
    domain::UserName,
    sys::replace::{self, Replacement},
};
use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// The group of `auth-keys`, the only reader of the files beside root.
pub(super) const READERS: &str = "podspawn-keys";
/// The option of NixOS in place of a key file.
pub(super) const NIX_OPTION: &str = "services.podspawn.users.<name>.keys";
const MODE: u32 = 0o640;

/// A line with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The line as it is stored.
    pub(super) line: String,
    /// Its options that sshd does not get, for a remark.
    pub(super) dropped: Vec<&'static str>,
    /// Type and data. Two keys with the same are the same.
    material: String,
    restrictions: Vec<String>,
}

impl Key {
    /// The key in a line; `None` is an empty line or a comment.
    pub(super) fn parse(line: &[u8]) -> Result<Option<Self>, String> {
        let trimmed = line.trim_ascii();
        if trimmed.starts_with(b"-----BEGIN") {
            return Err("this is not a public key; give the file that ends in .pub".to_owned());
        }
        let parsed = Line::parse(trimmed).map_err(|skipped| skipped.to_string())?;
        let Some(Line { kept, dropped, key }) = parsed else { return Ok(None) };
        let text = str::from_utf8(trimmed).ok().filter(|text| !text.contains(|c: char| c.is_control() && c != '\t'));
        let line = text.ok_or("the line has characters that are no text")?.to_owned();
        Ok(Some(Self { line, dropped, material: key, restrictions: kept }))
    }

    /// A bare key with a comment of ours; `None` if the line has options, which a stranger does not get to set.
    pub(super) fn bare(line: &str, comment: &str) -> Option<Self> {
        let key = Self::parse(line.as_bytes()).ok()??;
        let is_bare = key.restrictions.is_empty() && key.dropped.is_empty() && key.line.starts_with(&key.material);
        is_bare.then(|| Self { line: format!("{} {comment}", key.material), ..key })
    }
}

/// Every line of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeyFile {
    lines: Vec<Vec<u8>>,
}

impl KeyFile {
    /// The file at `path`; one that is absent has no lines. One that a user other than root could write is
    /// refused, since writing it anew would make all of its lines good.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        match auth_keys::read(path, ROOT) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(anyhow::anyhow!("{}: {error}", path.display())),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        Self { lines }
    }

    /// The keys that sshd would get.
    fn keys(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        self.lines.iter().filter_map(|line| Line::parse(line).ok().flatten()).map(|line| (line.key, line.kept))
    }

    /// How many keys sshd would get.
    pub(super) fn count(&self) -> usize {
        self.keys().count().min(MAX_KEYS)
    }

    /// Adds `key` unless the file has it, with whatever options; returns whether it was new.
    pub(super) fn add(&mut self, key: &Key) -> anyhow::Result<bool> {
        if self.keys().any(|(material, _)| material == key.material) {
            return Ok(false);
        }
        anyhow::ensure!(self.count() < MAX_KEYS, "more than {MAX_KEYS} keys of one user are not used");
        self.lines.push(key.line.clone().into_bytes());
        Ok(true)
    }

    /// Drops lines that repeat an earlier one; returns how many.
    pub(super) fn drop_duplicates(&mut self) -> usize {
        let before = self.lines.len();
        let mut seen = Vec::new();
        self.lines.retain(|line| match Line::parse(line) {
            // The same key with other restrictions lets in from elsewhere.
            Ok(Some(line)) if seen.contains(&(line.key.clone(), line.kept.clone())) => false,
            Ok(Some(line)) => {
                seen.push((line.key, line.kept));
                true
            }
            _ => true,
        });
        before - self.lines.len()
    }

    /// Writes the file: root's, readable for sshd's question, there whole or not at all.
    pub(super) fn write(&self, path: &Path, readers: u32) -> anyhow::Result<()> {
        let mut bytes = self.lines.join(&b'\n');
        bytes.push(b'\n');
        // No user name begins with a dot, so the temporary file is no user's.
        let replacement = Replacement::new(MODE).owned_by(ROOT, readers).durable();
        replacement.write(path, &bytes).with_context(|| format!("writing {}", path.display()))
    }
}

/// Removes a file for good; returns whether there was one.
pub(super) fn remove(path: &Path) -> anyhow::Result<bool> {
    replace::remove(path).with_context(|| format!("removing {}", path.display()))
}

/// The directory of key files, locked against other writers.
pub(super) struct KeyDir {
    path: PathBuf,
    _lock: File,
}

impl KeyDir {
    /// Opens the configured one.
    pub(super) fn lock() -> anyhow::Result<Self> {
        let path = auth_keys::configured_key_dir();
        let lock = File::open(&path).with_context(|| format!("{}: run podspawn server-setup first", path.display()))?;
        flock(&lock, FlockOperation::LockExclusive).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path, _lock: lock })
    }

    /// The file of `user`, whether it exists or not.
    pub(super) fn file(&self, user: &UserName) -> PathBuf {
        self.path.join(user.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";
    const B: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJOSGGkfO3V80cT5W5peRpPDR+lv\
        3o9E5ctg/72a9gjfgfnkCD5iCFYKeGsFuJ/xdoQy9vnZrZ+t2rnYDvX46g4=";

    fn key(line: &str) -> Key {
        Key::parse(line.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn keys_are_added_once_and_existing_lines_stay_as_they_were_written() {
        let text = format!("# laptop\nfrom=\"10.0.0.0/8\" {A} alice@laptop\nnonsense\n");
        let mut file = KeyFile::parse(text.as_bytes());
        assert_eq!(file.count(), 1);
        // Known by its data, whatever is around it.
        assert!(!file.add(&key(&format!("{A} other"))).unwrap());
        assert!(file.add(&key(&format!("no-pty {B} \u{e4}"))).unwrap());
        assert!(!file.add(&key(B)).unwrap());
        let mut lines = file.lines.join(&b'\n');
        lines.push(b'\n');
        assert_eq!(String::from_utf8(lines).unwrap(), format!("{text}no-pty {B} \u{e4}\n"));
    }

    #[test]
    fn a_line_that_says_the_same_goes_and_one_that_lets_in_from_elsewhere_stays() {
        let mut file = KeyFile::parse(
            format!("{A} x\n{A} y\nfrom=\"a\" {A}\nfrom=\"b\" {A}\nfrom=\"a\" {A} z\n# {A}\n# {A}\n").as_bytes(),
        );
        assert_eq!(file.drop_duplicates(), 2);
        assert_eq!(file.lines.len(), 5);
    }

    #[test]
    fn a_line_that_is_no_public_key_is_refused_with_a_reason() {
        for (line, why) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----", ".pub"),
            ("ssh-ed25519 AAAA", "no public key"),
            ("hello", "no public key"),
            (&format!("cert-authority {A}"), "certificates"),
            (&format!("{A} a\u{1b}[2J"), "no text"),
        ] {
            let message = Key::parse(line.as_bytes()).unwrap_err();
            assert!(message.contains(why), "{line}: {message}");
        }
        assert_eq!(Key::parse(b"  # x"), Ok(None));
        assert_eq!(key(&format!("command=\"x\" {A}")).dropped, ["command"]);
    }

    #[test]
    fn a_stranger_sets_no_options_and_no_comment() {
        assert_eq!(Key::bare(&format!("{A} sneaky"), "github:alice").unwrap().line, format!("{A} github:alice"));
        for line in [format!("from=\"x\" {A}"), format!("no-pty {A}"), format!("command=\"x\" {A}"), "<html>".into()] {
            assert_eq!(Key::bare(&line, "c"), None, "{line}");
        }
    }

    #[test]
    fn a_file_is_written_for_its_readers_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice");
        let about = directory.path().metadata().unwrap();
        let mut file = KeyFile::default();
        file.add(&key(A)).unwrap();
        file.add(&key(B)).unwrap();
        if about.uid() == ROOT {
            fs::write(replace::temporary(&path), "of one that was killed").unwrap();
            file.write(&path, about.gid()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{A}\n{B}\n"));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, MODE);
            assert_eq!(KeyFile::read(&path).unwrap(), file);
            assert!(remove(&path).unwrap() && !remove(&path).unwrap());
        } else {
            // Only root can give files to root.
            file.write(&path, about.gid()).unwrap_err();
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_others_could_have_written_is_not_made_good() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice");
        fs::write(&path, A).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(KeyFile::read(&path).unwrap_err().to_string().contains("could add keys"));
        assert_eq!(KeyFile::read(&directory.path().join("bob")).unwrap(), KeyFile::default());
    }
}
