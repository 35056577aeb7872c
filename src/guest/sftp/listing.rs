//! Lines as `ls -l` prints them, which clients show as they are.

use crate::guest::{accounts, files};
use rustix::fs::{FileType, Stat};
use std::{collections::BTreeMap, path::Path};

/// Half a year: older files show their year instead of the time of day.
const RECENT_SECONDS: i64 = 182 * 24 * 3600;

/// Names of the container's users and groups.
#[derive(Debug, Default)]
pub(super) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// From the account files, as far as they can be read: numbers do as well.
    pub(super) fn read() -> Self {
        let ids = |path: &str| {
            let content = files::read(Path::new(path)).ok().flatten().unwrap_or_default();
            accounts::names_by_id(&content)
        };
        Self { users: ids("/etc/passwd"), groups: ids("/etc/group") }
    }
}

fn letters(mode: u32) -> String {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        _ => '-',
    };
    let mut letters = String::from(kind);
    for (shift, special, set) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        letters.push(if bits & 4 != 0 { 'r' } else { '-' });
        letters.push(if bits & 2 != 0 { 'w' } else { '-' });
        letters.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => set.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    letters
}

/// The line of one file. Times are UTC.
pub(super) fn line(name: &[u8], stat: &Stat, names: &Names, now: i64) -> Vec<u8> {
    let label = |names: &BTreeMap<u32, String>, id: u32| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let modified = stat.st_mtime;
    let recent = (now - RECENT_SECONDS..=now + RECENT_SECONDS).contains(&modified);
    let format = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
    let date = jiff::Timestamp::from_second(modified).unwrap_or_default().strftime(format).to_string();
    let mut line = format!(
        "{} {:4} {:<8} {:<8} {:8} {date} ",
        letters(stat.st_mode),
        stat.st_nlink,
        label(&names.users, stat.st_uid),
        label(&names.groups, stat.st_gid),
        stat.st_size,
    )
    .into_bytes();
    line.extend_from_slice(name);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_ls_prints_them() {
        assert_eq!(letters(0o100_644), "-rw-r--r--");
        assert_eq!(letters(0o041_777), "drwxrwxrwt");
        assert_eq!(letters(0o104_754), "-rwsr-xr--");
        assert_eq!(letters(0o102_640), "-rw-r-S---");
        assert_eq!(letters(0o120_777), "lrwxrwxrwx");
    }

    #[test]
    fn an_old_file_shows_its_year() {
        let mut stat = rustix::fs::stat("/").unwrap();
        stat.st_mtime = 0;
        let old = String::from_utf8(line(b"x", &stat, &Names::default(), 2_000_000_000)).unwrap();
        assert!(old.ends_with("Jan  1  1970 x"), "{old}");
        let new = String::from_utf8(line(b"x", &stat, &Names::default(), 60)).unwrap();
        assert!(new.ends_with("Jan  1 00:00 x"), "{new}");
    }
}
