//! The file: appended to, whole lines, through rotations of both kinds.
//!
//! A rotation by rename shows as another file under the name; until it is opened, lines go to the renamed one. A rotation by copytruncate shows as a file that is shorter than we made it, and what was written between the
//! last read of the copy and the truncation is in neither: [`AuditFile::numbers`] returns the lines that are safe.

use super::number;
use crate::sys::append::{append, is_same_file, regular, write_whole};
use rustix::fs::OFlags;
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Longer than any line, those of former versions included: a command of 128 KiB whose every byte is escaped with six,
/// beside itself in base64.
const LONGEST_LINE_BYTES: u64 = 1 << 20;
/// Rotated copies that are looked at, newest first.
const COPIES: usize = 16;
/// How often they are listed while rotations change them.
const LISTINGS: usize = 10;

/// Why the audit log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It cannot be opened.
    #[error("the audit log {} cannot be opened", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A line did not get in; nothing of it is there.
    #[error("the audit log {} cannot be written", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// The file's status since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum FileStatus {
    /// It is unchanged.
    Same,
    /// It was cut: the last lines may be in no copy.
    Truncated,
    /// There is another under its name.
    Replaced,
    /// There is none under its name.
    Gone,
}

/// The open file.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    file: File,
    /// Its length, unless another process cuts it.
    size: u64,
}

impl AuditFile {
    /// Opens the file at `path`, or creates it with mode 0640. The beginning of a line that a power cut left is removed.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let open = || -> io::Result<(File, u64)> {
            let mut file = append(path)?;
            let size = without_fragment(&mut file)?;
            Ok((file, size))
        };
        let (file, size) = open().map_err(|error| AuditError::Open(path.to_owned(), error))?;
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Whether it still is what it was.
    pub fn status(&mut self) -> FileStatus {
        let (Ok(ours), named) = (self.file.metadata(), std::fs::metadata(&self.path)) else { return FileStatus::Same };
        match named {
            Ok(named) if !is_same_file(&named, &ours) => return FileStatus::Replaced,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return FileStatus::Gone,
            _ => {}
        }
        let cut = ours.len() < self.size;
        // Another process may have appended.
        self.size = ours.len();
        if cut { FileStatus::Truncated } else { FileStatus::Same }
    }

    /// Appends a line, whole or not at all.
    pub fn append(&mut self, line: &[u8]) -> Result<(), AuditError> {
        write_whole(&mut self.file, line).map_err(|error| AuditError::Write(self.path.clone(), error))?;
        self.size += line.len() as u64;
        Ok(())
    }

    /// The numbers of the lines in the last `bytes` of the file and of each of its newest rotated copies, and of a line
    /// or some more.
    #[must_use]
    pub fn numbers(&self, bytes: u64) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        let mut listed = copies(&self.path);
        for _ in 0..LISTINGS {
            let paths = std::iter::once(&self.path).chain(listed.iter().map(|(path, _)| path));
            numbers.extend(paths.flat_map(|path| numbers_in(path, bytes.saturating_add(LONGEST_LINE_BYTES))));
            // A rotation renames every copy in turn: one that got another name meanwhile has not been read.
            let now = copies(&self.path);
            if now == listed {
                break;
            }
            listed = now;
        }
        numbers
    }

    /// The number of the last line of the file, or of its newest copy; for the price of a short read.
    #[must_use]
    pub fn last_number(&self) -> Option<u64> {
        let newest = copies(&self.path).into_iter().take(1).map(|(path, _)| path);
        let mut paths = std::iter::once(self.path.clone()).chain(newest);
        paths.find_map(|path| numbers_in(&path, LONGEST_LINE_BYTES).into_iter().max())
    }
}

fn numbers_in(path: &Path, bytes: u64) -> Vec<u64> {
    let tail = regular(path, OFlags::RDONLY).and_then(|mut file| tail(&mut file, bytes)).unwrap_or_default();
    // A line without an end was copied in the middle of a write.
    tail.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).filter_map(number).collect()
}

fn tail(file: &mut File, bytes: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(bytes)))?;
    let mut tail = Vec::new();
    file.take(bytes).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Removes what follows the last newline; the size that is left.
fn without_fragment(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let tail = tail(file, LONGEST_LINE_BYTES)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        _ if tail.is_empty() => Ok(size),
        Some(last) if last + 1 == tail.len() => Ok(size),
        // Longer than any line of ours: not our fragment to remove.
        None if size > LONGEST_LINE_BYTES => {
            file.write_all(b"\n")?;
            Ok(size + 1)
        }
        last => {
            let whole = size - (tail.len() - last.map_or(0, |last| last + 1)) as u64;
            file.set_len(whole)?;
            Ok(whole)
        }
    }
}

/// Files beside `path` that a rotation may have made of it, newest first: `audit.jsonl.1`, `audit.jsonl-20260102`,
/// `audit-20260102.jsonl`. Each with its inode, by which one is known under another name.
fn copies(path: &Path) -> Vec<(PathBuf, u64)> {
    let (Some(directory), Some(stem)) = (path.parent(), path.file_stem()) else { return Vec::new() };
    let is_copy = |name: &OsStr| {
        let bytes = name.as_encoded_bytes();
        bytes.starts_with(stem.as_encoded_bytes()) && Some(name) != path.file_name()
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut copies: Vec<(SystemTime, PathBuf, u64)> = entries
        .filter(|entry| is_copy(&entry.file_name()))
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.path())))
        // An empty log is rotated as well, and its copies would take the places of those with lines.
        .filter(|(file, _)| file.len() > 0)
        .filter_map(|(file, path)| Some((file.modified().ok()?, path, file.ino())))
        .collect();
    copies.sort_by(|one, other| other.cmp(one));
    copies.truncate(COPIES);
    copies.into_iter().map(|(_, path, inode)| (path, inode)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn line(number: u64) -> String {
        format!("{{\"seq\":{number},\"event\":\"x\"}}\n")
    }

    fn opened() -> (tempfile::TempDir, PathBuf, AuditFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let file = AuditFile::open(&path).unwrap();
        (directory, path, file)
    }

    #[test]
    fn lines_are_appended_and_the_file_is_no_business_of_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, path, mut file) = opened();
        file.append(line(1).as_bytes()).unwrap();
        file.append(line(2).as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(1) + &line(2));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!((file.status(), file.numbers(0)), (FileStatus::Same, [1, 2].into()));
    }

    #[test]
    fn a_cut_file_is_noticed_once_and_its_copies_show_which_lines_are_safe() {
        let (directory, path, mut file) = opened();
        for number in 1..=3 {
            file.append(line(number).as_bytes()).unwrap();
        }
        fs::write(directory.path().join("audit.jsonl.1"), line(1) + &line(2) + "{\"seq\":3,\"ev").unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert_eq!(file.status(), FileStatus::Truncated);
        assert_eq!(file.status(), FileStatus::Same);
        assert_eq!(file.numbers(0), [1, 2].into());
        file.append(line(4).as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(4), "no hole at the beginning");
    }

    #[test]
    fn empty_copies_hide_no_other() {
        let (directory, path, file) = opened();
        fs::write(directory.path().join("audit.jsonl.99"), line(1)).unwrap();
        for copy in 0..COPIES {
            fs::write(directory.path().join(format!("audit.jsonl.{copy}")), "").unwrap();
        }
        assert_eq!((file.numbers(0), file.last_number()), ([1].into(), Some(1)));
        assert!(path.exists());
    }

    #[test]
    fn a_renamed_file_is_written_until_another_has_its_name() {
        let (directory, path, mut file) = opened();
        let renamed = directory.path().join("audit.jsonl-20260102");
        fs::rename(&path, &renamed).unwrap();
        assert_eq!(file.status(), FileStatus::Gone);
        file.append(line(1).as_bytes()).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(file.status(), FileStatus::Replaced);
        let other = AuditFile::open(&path).unwrap();
        assert_eq!(other.numbers(0), [1].into());
    }

    #[test]
    fn the_beginning_of_a_line_is_removed_and_a_whole_line_is_not() {
        let (_directory, path, _file) = opened();
        fs::write(&path, line(1) + "{\"seq\":2").unwrap();
        AuditFile::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(1));
        fs::write(&path, "{\"seq\":2").unwrap();
        AuditFile::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("audit.jsonl");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(matches!(AuditFile::open(&link), Err(AuditError::Open(..))));
        assert!(matches!(AuditFile::open(directory.path()), Err(AuditError::Open(..))));
        assert!(matches!(AuditFile::open(Path::new("/dev/full")), Err(AuditError::Open(..))));
    }
}
