//! Which user ids of a range no account of this host has, nor may be given later by the host's own tools.
//!
//! A process of a container has its user id on the host as well: the kernel counts inotify instances, pending signals
//! and pipe buffers by it, and files on the host belong to it. So an id that a container uses must belong to no account here.
//! Reads `/etc/passwd`, `/etc/group`, `/etc/subuid`, `/etc/subgid` and `/etc/login.defs` anew.

use super::{AccountError, Accounts, number};
use crate::domain::{UidRange, text::one_line};
use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, Read as _},
    ops::RangeInclusive,
    path::Path,
};

/// Largest file, in bytes, as for passwd(5).
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Why an id may not be used in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An account has it.
    Account(String),
    /// A group has it. A user's group has the user's id.
    Group(String),
    /// It is a subordinate id of this account.
    Subordinate(String),
    /// login.defs(5) lets useradd(8) allot it, by this pair of keys.
    Defaults(&'static str),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name) => write!(f, "the id of account {name}"),
            Self::Group(name) => write!(f, "the id of group {name}"),
            Self::Subordinate(name) => write!(f, "a subordinate id of {name}"),
            Self::Defaults(keys) => write!(f, "within {keys} of /etc/login.defs"),
        }
    }
}

/// The ids of this host that its own files give away.
#[derive(Debug, Clone, Default)]
pub struct HostUids {
    held: Vec<(RangeInclusive<u32>, Holder)>,
}

/// Ranges of login.defs(5): the least key, the greatest, how messages name both, and shadow's built-in values.
const DEFAULTS: [(&str, &str, &str, RangeInclusive<u32>); 4] = [
    ("UID_MIN", "UID_MAX", "UID_MIN to UID_MAX", 1000..=60_000),
    ("GID_MIN", "GID_MAX", "GID_MIN to GID_MAX", 1000..=60_000),
    ("SUB_UID_MIN", "SUB_UID_MAX", "SUB_UID_MIN to SUB_UID_MAX", 100_000..=600_100_000),
    ("SUB_GID_MIN", "SUB_GID_MAX", "SUB_GID_MIN to SUB_GID_MAX", 100_000..=600_100_000),
];

impl HostUids {
    /// Those under `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let etc = root.join("etc");
        let mut held = Vec::new();
        for (file, holder) in [("passwd", Holder::Account as fn(String) -> Holder), ("group", Holder::Group)] {
            let text = read(&etc.join(file))?;
            held.extend(lines(&text).filter_map(|line| {
                let mut fields = line.split(|byte| *byte == b':');
                let (name, id) = (fields.next()?, number(fields.nth(1)?)?);
                Some((id..=id, holder(name_of(name))))
            }));
        }
        for file in ["subuid", "subgid"] {
            let text = read(&etc.join(file))?;
            held.extend(lines(&text).filter_map(|line| {
                let mut fields = line.split(|byte| *byte == b':');
                let (name, first, count) = (fields.next()?, number(fields.next()?)?, number(fields.next()?)?);
                let last = first.saturating_add(count.checked_sub(1)?);
                Some((first..=last, Holder::Subordinate(name_of(name))))
            }));
        }
        let text = read(&etc.join("login.defs"))?;
        held.extend(DEFAULTS.into_iter().map(|(least, greatest, keys, built_in)| {
            let first = setting(&text, least).unwrap_or(*built_in.start());
            let last = setting(&text, greatest).unwrap_or(*built_in.end());
            (first..=last, Holder::Defaults(keys))
        }));
        Ok(Self { held })
    }

    /// The holder of `uid` on this host; `None` if its files do not give it away.
    #[must_use]
    pub fn holder(&self, uid: u32) -> Option<&Holder> {
        self.held.iter().find(|(ids, _)| ids.contains(&uid)).map(|(_, holder)| holder)
    }

    /// The least id of `range` that is free on this host and not in `taken`.
    fn first_free(&self, range: UidRange, taken: &BTreeSet<u32>) -> Option<u32> {
        let mut uid = *range.ids().start();
        while range.contains(uid) {
            match self.held.iter().find(|(ids, _)| ids.contains(&uid)) {
                // Ranges are long: what one holds is skipped at once.
                Some((ids, _)) => uid = ids.end().checked_add(1)?,
                None if taken.contains(&uid) => uid += 1,
                None => return Some(uid),
            }
        }
        None
    }
}

/// `current` if it is still good for a user: of `range`, and free on this host. Otherwise the least id of `range`
/// that no account of the host has, in its files or elsewhere, and that is not in `taken`; `None` if there is none.
///
/// Blocks. An error means that nothing was found out.
pub fn allot(current: Option<u32>, range: UidRange, mut taken: BTreeSet<u32>) -> Result<Option<u32>, AccountError> {
    let host = HostUids::read(Path::new("/")).map_err(AccountError::Unavailable)?;
    if let Some(uid) = current.filter(|uid| range.contains(*uid) && host.holder(*uid).is_none()) {
        return Ok(Some(uid));
    }
    let accounts = Accounts::new();
    while let Some(uid) = host.first_free(range, &taken) {
        if !accounts.has_uid(uid)? {
            return Ok(Some(uid));
        }
        // A directory server has it.
        taken.insert(uid);
    }
    Ok(None)
}

/// The holder of `uid` in this host's own files, in words that follow "is"; `None` if it is free, or they cannot be read.
#[must_use]
pub fn holder(uid: u32) -> Option<String> {
    HostUids::read(Path::new("/")).ok()?.holder(uid).map(ToString::to_string)
}

/// The file's bytes; one that does not exist has none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(named)?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(named(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn name_of(bytes: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(bytes)).chars().take(64).collect()
}

/// The number that login.defs(5) gives a key; of several the last counts, as for shadow's own tools.
fn setting(text: &[u8], key: &str) -> Option<u32> {
    let values = lines(text).filter_map(|line| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        (words.next() == Some(key.as_bytes())).then(|| words.next().and_then(number)).flatten()
    });
    values.last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn host(files: &[(&str, &str)]) -> HostUids {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        for (name, text) in files {
            fs::write(root.path().join("etc").join(name), text).unwrap();
        }
        HostUids::read(root.path()).unwrap()
    }

    fn free(host: &HostUids, range: &str, taken: &[u32]) -> Option<u32> {
        host.first_free(range.parse().unwrap(), &taken.iter().copied().collect())
    }

    #[test]
    fn ids_of_accounts_groups_and_other_users_are_not_allotted() {
        let host = host(&[
            ("passwd", "root:x:0:0::/root:/bin/sh\nodd:x:65536:1::/:/bin/sh\nbroken\n+::::::\n"),
            ("group", "odd:x:65538:\n"),
        ]);
        assert_eq!(free(&host, "65536-99999", &[]), Some(65_537));
        assert_eq!(free(&host, "65536-99999", &[65_537]), Some(65_539));
        assert_eq!(free(&host, "65536-65539", &[65_537]), None);
        assert_eq!(host.holder(65_536).unwrap().to_string(), "the id of account odd");
        assert_eq!(host.holder(65_538).unwrap().to_string(), "the id of group odd");
        assert_eq!(host.holder(65_537), None);
    }

    #[test]
    fn subordinate_ids_and_what_useradd_may_allot_are_not_allotted() {
        let odd = host(&[
            ("subuid", "# a comment\nalice:65536:1000\nbob:4294967000:4294967295\nx:1:0\n"),
            ("subgid", "alice:70000:65536\n"),
            ("login.defs", "UID_MAX 66999\n  SUB_UID_MIN\t 200000 # later\nSUB_GID_MIN 300000\n#UID_MAX 90000\n"),
        ]);
        assert_eq!(free(&odd, "65536-99999", &[]), Some(67_000));
        assert_eq!(odd.holder(65_600), Some(&Holder::Subordinate("alice".into())));
        assert_eq!(odd.holder(u32::MAX), Some(&Holder::Subordinate("bob".into())));
        assert_eq!(free(&odd, "67000-150000", &(67_000..70_000).collect::<Vec<_>>()), Some(135_536));
        assert_eq!(odd.holder(60_000).unwrap().to_string(), "within UID_MIN to UID_MAX of /etc/login.defs");
        // Without login.defs shadow's built-in values count.
        let bare = host(&[]);
        assert_eq!((free(&bare, "2000-3000", &[]), free(&bare, "60000-60010", &[])), (None, Some(60_001)));
        assert_eq!(free(&bare, "100000-200000", &[]), None);
    }

    #[test]
    fn the_default_range_is_free_where_the_distributions_defaults_hold() {
        let host = host(&[]);
        assert_eq!(free(&host, &UidRange::DEFAULT.to_string(), &[]), Some(65_536));
        assert!(UidRange::DEFAULT.ids().all(|uid| host.holder(uid).is_none()));
    }
}
