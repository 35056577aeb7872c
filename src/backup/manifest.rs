//! `manifest.json`: the list of all files of a backup, by which missing, changed and added files are found.
//!
//! Pure. Root restores a backup, so a name from here is checked before it becomes a path.

mod path;
#[cfg(test)]
mod tests;

pub use path::NameError;
pub(super) use path::{Bytes, EntryPath};

use crate::domain::{UserName, text::hex};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The format that this version reads and writes.
const FORMAT: u32 = 1;
/// The kind of all manifests.
const KIND: &str = "podspawn backup";
/// The manifest's own name.
pub(super) const MANIFEST: &str = "manifest.json";
/// The manifest's own hash, as sha256sum(1) writes and checks it.
pub(super) const MANIFEST_SUM: &str = "manifest.sha256";
/// Largest manifest, in bytes: a million files of homes.
pub(super) const MAX_MANIFEST_BYTES: u64 = 512 * 1024 * 1024;
/// Most files and directories.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

/// The files and directories of a backup.
pub(super) const DATABASE: &str = "state.db";
pub(super) const CONFIG: &str = "config.yaml";
pub(super) const PROJECTS: &str = "projects.yaml";
pub(super) const SECCOMP: &str = "seccomp.json";
pub(super) const KEYS: &str = "keys";
pub(super) const USERS: &str = "users";
pub(super) const HOMES: &str = "homes";

/// A whole manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    kind: String,
    format: u32,
    /// The version of podspawn that wrote it.
    pub(super) podspawn: String,
    /// The schema of the state database, if there is one.
    pub(super) schema: Option<i64>,
    /// The name of the host.
    pub(super) host: String,
    /// RFC 3339, UTC.
    pub(super) created: String,
    /// Homes and files of homes that are not in the backup though they should be; the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<LeftOut>,
    /// In the order of their paths.
    pub(super) entries: Vec<Entry>,
}

/// A home or a file of one that is not in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path on the host, to be shown: bytes that are no text are replaced.
    pub path: String,
    /// Why it is not in the backup.
    pub reason: String,
}

/// One file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) path: EntryPath,
    #[serde(flatten)]
    pub(super) kind: Kind,
    #[serde(with = "octal")]
    pub(super) mode: u32,
    #[serde(flatten)]
    pub(super) owner: Owner,
    /// When it was last modified, in Unix seconds.
    pub(super) modified: i64,
}

/// The kind of an entry. Links are in the manifest only; a backup's directory has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Kind {
    File { size: u64, sha256: Sum },
    Directory,
    Link { target: Bytes },
}

/// The owner. Accounts of the system have other numbers on another host, so names count where they are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
}

impl Manifest {
    /// A manifest of `entries`, which need not be in order.
    pub(super) fn new(
        schema: Option<i64>,
        host: String,
        created: String,
        left_out: Vec<LeftOut>,
        mut entries: Vec<Entry>,
    ) -> Self {
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let podspawn = env!("CARGO_PKG_VERSION").to_owned();
        Self { kind: KIND.to_owned(), format: FORMAT, podspawn, schema, host, created, left_out, entries }
    }

    /// The manifest in `text`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            kind: String,
            format: u32,
        }
        let head: Head = serde_json::from_slice(text)?;
        if head.kind != KIND {
            return Err(ManifestError::Foreign);
        }
        if head.format != FORMAT {
            return Err(ManifestError::Format(head.format));
        }
        let manifest: Self = serde_json::from_slice(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether a file that begins like this is a manifest of podspawn's, of whatever format.
    pub(super) fn is_ours(head: &[u8]) -> bool {
        let kind = format!("{KIND:?}");
        let text = String::from_utf8_lossy(head);
        let rest =
            text.trim_start().strip_prefix('{').map(str::trim_start).and_then(|rest| rest.strip_prefix("\"kind\":"));
        rest.is_some_and(|rest| rest.trim_start().starts_with(&kind))
    }

    /// Every entry once, in its place and below a directory.
    fn check(&self) -> Result<(), ManifestError> {
        if self.entries.len() > MAX_ENTRIES {
            return Err(ManifestError::TooManyEntries);
        }
        if !self.entries.is_sorted_by(|one, other| one.path < other.path) {
            return Err(ManifestError::Order);
        }
        let kinds = self.by_path();
        for entry in &self.entries {
            let wrong = |fault| ManifestError::Entry { path: entry.path.to_string(), fault };
            entry.check().map_err(wrong)?;
            if entry.path.parent().is_some_and(|parent| kinds.get(&parent).is_none_or(|it| it.kind != Kind::Directory))
            {
                return Err(wrong(EntryFault::NoDirectory));
            }
        }
        if self.schema.is_some() == kinds.contains_key(&EntryPath::known(DATABASE)) {
            Ok(())
        } else {
            Err(ManifestError::Schema)
        }
    }

    pub(super) fn by_path(&self) -> BTreeMap<EntryPath, &Entry> {
        self.entries.iter().map(|entry| (entry.path.clone(), entry)).collect()
    }
}

impl Entry {
    /// Most bytes that it takes in a manifest, with keys and punctuation.
    pub(super) fn written_bytes(&self) -> u64 {
        const OTHERS: u64 = 480;
        let target = if let Kind::Link { target } = &self.kind { target.written_bytes() } else { 0 };
        OTHERS + self.path.written_bytes() + target
    }

    fn check(&self) -> Result<(), EntryFault> {
        let parts: Vec<&[u8]> = self.path.parts().collect();
        let is_file = matches!(self.kind, Kind::File { .. });
        let is_directory = self.kind == Kind::Directory;
        let parts: Vec<&str> = parts.iter().map(|part| str::from_utf8(part).unwrap_or_default()).collect();
        let belongs = match *parts.as_slice() {
            [DATABASE | CONFIG | PROJECTS | SECCOMP] | [KEYS | USERS, _] => is_file,
            [KEYS | USERS | HOMES] => is_directory,
            [HOMES, user] => is_directory && user.parse::<UserName>().is_ok(),
            [HOMES, _, ..] => true,
            _ => false,
        };
        if !belongs {
            return Err(EntryFault::Unknown);
        }
        // To chown(2) it means "no change": the restored file would stay root's.
        if self.owner.uid == u32::MAX || self.owner.gid == u32::MAX {
            return Err(EntryFault::Owner);
        }
        if self.mode > 0o7777 {
            return Err(EntryFault::Mode(self.mode));
        }
        Ok(())
    }
}

/// Why a manifest is not used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON of that shape.
    #[error("{MANIFEST}: {0}")]
    Json(#[from] serde_json::Error),
    /// It is another program's.
    #[error("{MANIFEST} is not podspawn's")]
    Foreign,
    /// It is of another version.
    #[error("{MANIFEST} has format {0}, this podspawn knows {FORMAT}")]
    Format(u32),
    /// It has too many entries.
    #[error("{MANIFEST} has more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// Its entries are not sorted, or one is there twice.
    #[error("{MANIFEST} is not in order")]
    Order,
    /// The schema does not go with the database.
    #[error("{MANIFEST} names a schema without a database, or a database without a schema")]
    Schema,
    /// An entry that no backup has.
    #[error("{path}: {fault}")]
    Entry {
        /// Its path.
        path: String,
        /// The fault.
        fault: EntryFault,
    },
}

/// The fault of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Its path or kind.
    #[error("no backup has such a file")]
    Unknown,
    /// Its parent is no directory of the manifest.
    #[error("it is below no directory")]
    NoDirectory,
    /// Its owner.
    #[error("{} is not the id of an owner", u32::MAX)]
    Owner,
    /// Its mode.
    #[error("{0:o} is not a mode")]
    Mode(u32),
}

/// The text is no SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256")]
pub(super) struct NotASum;

/// A SHA-256, in JSON as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum([u8; 32]);

impl Sum {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    pub(super) fn finish(hash: sha2::Sha256) -> Self {
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Sum {
    type Err = NotASum;

    fn from_str(text: &str) -> Result<Self, NotASum> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks_exact(2).map(pair).collect();
        let sum = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        sum.map(Self).ok_or(NotASum)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A mode in octal digits: `"0640"`.
mod octal {
    use super::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(super) fn serialize<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{mode:04o}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::from_str_radix(&String::deserialize(deserializer)?, 8).map_err(de::Error::custom)
    }
}
