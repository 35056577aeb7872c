//! Lines as `ls -l` prints them, which clients show as they are.

use super::wire::{Fields, MAX_PACKET, Put, Truncated};
use crate::guest::{accounts, files};
use jiff::{Timestamp, tz::TimeZone};
use rustix::fs::{FileType, Stat};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Half a year: older files show their year instead of the time of day.
const RECENT_SECONDS: i64 = 365 * 24 * 3600 / 2;

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

    /// The names of a packet's uids, one string each; an empty one for an id without a name.
    pub(super) fn of_users(&self, ids: Fields<'_>) -> Result<Vec<u8>, Truncated> {
        strings(&self.users, ids)
    }

    /// The names of a packet's gids.
    pub(super) fn of_groups(&self, ids: Fields<'_>) -> Result<Vec<u8>, Truncated> {
        strings(&self.groups, ids)
    }
}

fn strings(names: &BTreeMap<u32, String>, mut ids: Fields<'_>) -> Result<Vec<u8>, Truncated> {
    let mut found = Vec::new();
    while !ids.0.is_empty() {
        let name = names.get(&ids.u32()?).map_or("", String::as_str);
        // Longer than any answer may be, so the rest is of no use.
        if found.len() <= MAX_PACKET {
            found.put_string(name.as_bytes());
        }
    }
    Ok(found)
}

/// The time zone of the listing: the container's.
#[derive(Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// By `TZ`, else by `/etc/localtime`, as localtime(3) does; UTC where neither is set.
    pub(super) fn read() -> Self {
        let zone = match std::env::var_os("TZ") {
            None => file(Path::new("/etc/localtime")),
            Some(name) => named(&name),
        };
        Self(zone.unwrap_or(TimeZone::UTC))
    }
}

/// The zone of a `TZ`: a file, below the database if its name is relative, or a rule.
fn named(name: &OsStr) -> Option<TimeZone> {
    let name = name.as_bytes().strip_prefix(b":").unwrap_or(name.as_bytes());
    if name.is_empty() {
        return None;
    }
    let database = PathBuf::from("/usr/share/zoneinfo");
    file(&database.join(OsStr::from_bytes(name))).or_else(|| TimeZone::posix(std::str::from_utf8(name).ok()?).ok())
}

fn file(path: &Path) -> Option<TimeZone> {
    TimeZone::tzif("", &files::read(path).ok().flatten()?).ok()
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

/// The line of one file.
pub(super) fn line(name: &[u8], stat: &Stat, names: &Names, zone: &Zone, now: i64) -> Vec<u8> {
    let label = |names: &BTreeMap<u32, String>, id: u32| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let modified = stat.st_mtime;
    let recent = now - RECENT_SECONDS < modified && modified <= now;
    let format = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
    let date = Timestamp::from_second(modified).unwrap_or_default().to_zoned(zone.0.clone());
    let mut line = format!(
        "{}  {:3} {:<8} {:<8} {:8} {} ",
        letters(stat.st_mode),
        stat.st_nlink,
        label(&names.users, stat.st_uid),
        label(&names.groups, stat.st_gid),
        stat.st_size,
        date.strftime(format),
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
        let line =
            |zone: TimeZone, now| String::from_utf8(line(b"x", &stat, &Names::default(), &Zone(zone), now)).unwrap();
        assert!(line(TimeZone::UTC, 2_000_000_000).ends_with("Jan  1  1970 x"));
        assert!(line(TimeZone::UTC, 60).ends_with("Jan  1 00:00 x"));
        // Of a time to come the year is what matters.
        assert!(line(TimeZone::UTC, -60).ends_with("Jan  1  1970 x"));
        let west = named(OsStr::new("<-03>3")).unwrap();
        assert!(line(west, 60).ends_with("Dec 31 21:00 x"));
    }

    #[test]
    fn a_time_zone_is_a_file_or_a_rule() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone");
        // The smallest file there is: version 1, one type, UTC.
        let mut content = b"TZif\0".to_vec();
        content.resize(5 + 15, 0);
        for count in [0u32, 0, 0, 0, 1, 4] {
            content.extend_from_slice(&count.to_be_bytes());
        }
        content.extend_from_slice(&[0, 0, 14, 16, 0, 0]);
        content.extend_from_slice(b"XXX\0");
        std::fs::write(&path, content).unwrap();
        let zone = named(path.as_os_str()).unwrap();
        assert_eq!(zone.to_offset(Timestamp::UNIX_EPOCH).seconds(), 3600);
        for none in ["", ":", "no/such zone", "/etc/passwd", "/dev/zero"] {
            assert!(named(OsStr::new(none)).is_none(), "{none}");
        }
    }
}
