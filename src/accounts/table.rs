//! A file of lines like passwd(5), searched rather than indexed, with the answers kept while the file is unchanged.

use crate::sys::file_version::FileVersion;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Largest file, in bytes: a quarter of a million accounts.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Most answers that are kept; more different questions than this between two changes of the file are a flood.
const MAX_ANSWERS: usize = 4096;

/// The answer of a line, or of the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// The entry.
    Entry(T),
    /// It is there and cannot be used: asking elsewhere would find another entry for the same key.
    Unusable,
    /// It is not there.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Table<T> {
    path: PathBuf,
    answers: Mutex<Answers<T>>,
}

#[derive(Debug)]
struct Answers<T> {
    /// The state of the file that they are from.
    version: Option<FileVersion>,
    by_key: HashMap<String, Found<T>>,
}

impl<T: Clone> Table<T> {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, answers: Mutex::new(Answers { version: None, by_key: HashMap::new() }) }
    }

    /// The first line for which `read` says anything, as the name service has it; `key` names the question. A file that
    /// does not exist has no lines.
    pub(super) fn find(&self, key: &str, read: impl Fn(&[u8]) -> Found<T>) -> Result<Found<T>, io::Error> {
        let version = match std::fs::metadata(&self.path) {
            Ok(file) => FileVersion::from(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        // A poisoned lock only means that another thread died between two statements that leave the map valid.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.version != Some(version) {
            answers.by_key.clear();
        } else if let Some(found) = answers.by_key.get(key) {
            return Ok(found.clone());
        }
        let (version, lines) = self.read()?;
        let found = lines
            .split(|byte| *byte == b'\n')
            .map(read)
            .find(|found| !matches!(found, Found::Nothing))
            .unwrap_or(Found::Nothing);
        if answers.version != Some(version) || answers.by_key.len() >= MAX_ANSWERS {
            answers.by_key.clear();
        }
        answers.version = Some(version);
        answers.by_key.insert(key.to_owned(), found.clone());
        Ok(found)
    }

    fn read(&self) -> Result<(FileVersion, Vec<u8>), io::Error> {
        let file = File::open(&self.path)?;
        let version = FileVersion::from(&file.metadata()?);
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{} is too large", self.path.display())));
        }
        Ok((version, bytes))
    }
}
