//! Names in a manifest.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

/// Longest path or target of a link, in bytes (`PATH_MAX`).
const MAX_BYTES: usize = 4096;
/// Longest name, in bytes (`NAME_MAX`).
const MAX_NAME_BYTES: usize = 255;
/// Deepest path, in names. Two descriptors are open for each.
pub(in crate::backup) const MAX_DEPTH: usize = 128;

/// Why a name or a path cannot be in a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty, too long, or has a NUL.
    #[error("no file can have this name")]
    Invalid,
    /// It leads out of the backup's directory.
    #[error("{0} does not stay in its place")]
    Leaves(String),
    /// It has too many parts.
    #[error("it is too deep")]
    TooDeep,
    /// It is not base64.
    #[error("{0}")]
    Base64(#[from] base64::DecodeError),
}

/// Bytes that are text nearly always: in JSON a text, or base64 where they are none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub(in crate::backup) struct Bytes(Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Other { base64: String },
}

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        match String::from_utf8(bytes.0) {
            Ok(text) => Self::Plain(text),
            Err(error) => Self::Other { base64: BASE64_STANDARD.encode(error.as_bytes()) },
        }
    }
}

impl TryFrom<Text> for Bytes {
    type Error = NameError;

    fn try_from(text: Text) -> Result<Self, NameError> {
        let bytes = match text {
            Text::Plain(text) => text.into_bytes(),
            Text::Other { base64 } => BASE64_STANDARD.decode(base64)?,
        };
        Self::new(bytes)
    }
}

impl Bytes {
    /// 1 to 4095 bytes, none of them NUL, as the kernel takes for a path.
    pub(in crate::backup) fn new(bytes: Vec<u8>) -> Result<Self, NameError> {
        if bytes.is_empty() || bytes.len() >= MAX_BYTES || bytes.contains(&0) {
            return Err(NameError::Invalid);
        }
        Ok(Self(bytes))
    }

    /// Most bytes that they take in JSON.
    pub(in crate::backup) fn written_bytes(&self) -> u64 {
        let escaped = |byte: &u8| if *byte < b' ' { 6 } else { 2 };
        // As base64 they take less.
        self.0.iter().map(escaped).sum()
    }

    pub(in crate::backup) fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

/// A path below the directory of a backup: no `..`, no `.`, nothing absolute, no empty name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Bytes", into = "Bytes")]
pub(in crate::backup) struct EntryPath(Bytes);

impl From<EntryPath> for Bytes {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}

impl TryFrom<Bytes> for EntryPath {
    type Error = NameError;

    fn try_from(bytes: Bytes) -> Result<Self, NameError> {
        let parts = || bytes.0.split(|byte| *byte == b'/');
        let leaves = |part: &[u8]| matches!(part, b"" | b"." | b"..") || part.len() > MAX_NAME_BYTES;
        if parts().any(leaves) {
            return Err(NameError::Leaves(bytes.as_os_str().display().to_string()));
        }
        if parts().count() > MAX_DEPTH {
            return Err(NameError::TooDeep);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<&OsStr> for EntryPath {
    type Error = NameError;

    fn try_from(path: &OsStr) -> Result<Self, NameError> {
        Bytes::new(path.as_bytes().to_vec())?.try_into()
    }
}

impl EntryPath {
    /// A name of this program's own.
    pub(in crate::backup) fn known(name: &'static str) -> Self {
        debug_assert!(Self::try_from(Bytes(name.into())).is_ok());
        Self(Bytes(name.into()))
    }

    /// Most bytes that it takes in JSON.
    pub(in crate::backup) fn written_bytes(&self) -> u64 {
        self.0.written_bytes()
    }

    /// The path of `name` in this directory.
    pub(in crate::backup) fn join(&self, name: &OsStr) -> Result<Self, NameError> {
        let bytes = [self.0.0.as_slice(), name.as_bytes()].join(&b'/');
        Bytes::new(bytes)?.try_into()
    }

    pub(in crate::backup) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.0.split(|byte| *byte == b'/')
    }

    pub(in crate::backup) fn parent(&self) -> Option<Self> {
        let end = self.0.0.iter().rposition(|byte| *byte == b'/')?;
        Some(Self(Bytes(self.0.0[..end].to_vec())))
    }

    pub(in crate::backup) fn file_name(&self) -> &OsStr {
        OsStr::from_bytes(self.0.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
    }

    /// Whether it is below `directory`.
    pub(in crate::backup) fn is_below(&self, directory: &Self) -> bool {
        self.0.0.strip_prefix(directory.0.0.as_slice()).is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    pub(in crate::backup) fn under(&self, root: &Path) -> PathBuf {
        root.join(PathBuf::from(OsString::from_vec(self.0.0.clone())))
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_os_str().display().fmt(f)
    }
}
