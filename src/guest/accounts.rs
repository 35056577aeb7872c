//! `/etc/passwd` and `/etc/group` as bytes: what a login name means in this container.
//!
//! Pure: texts in, values out. A line that does not parse is not there, as for every other reader of these files.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// First id of an account that is made for a login, and the last that is tried (`UID_MIN`, `UID_MAX` of useradd(8)).
pub(super) const FIRST_ID: u32 = 1000;
pub(super) const LAST_ID: u32 = 60_000;
/// The first id for an account with a persistent home. What images give to accounts of their own begins at 1000 and is
/// few: above that the same id is free in every image that the home meets.
pub(super) const FIRST_PERSISTENT_ID: u32 = 2000;
/// Most supplementary groups of an account. The kernel takes 65,536; a file that lists more than this is no group file.
pub(super) const MAX_GROUPS: usize = 256;

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

/// The fields of each line, where there are exactly `N` of them.
fn lines<const N: usize>(text: &[u8]) -> impl Iterator<Item = [&[u8]; N]> {
    text.split(|&b| b == b'\n').filter_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let mut found = [&b""[..]; N];
        for field in &mut found {
            *field = fields.next()?;
        }
        fields.next().is_none().then_some(found)
    })
}

/// A decimal id; 2³²-1 is "no change" to the kernel and so no id.
fn id(field: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok().filter(|&id| id != u32::MAX) } else { None }
}

fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(field.to_vec()))
}

/// The entry of `name`: the first, as getpwnam(3) finds it.
pub(super) fn find(passwd: &[u8], name: &str) -> Option<Entry> {
    lines::<7>(passwd).find_map(|[login, _, uid, gid, _, home, shell]| {
        if login != name.as_bytes() {
            return None;
        }
        let home = if home.starts_with(b"/") { home } else { b"/" };
        Some(Entry { uid: id(uid)?, gid: id(gid)?, home: path(home), shell: path(shell) })
    })
}

/// The id of the group `name`.
pub(super) fn find_group(group: &[u8], name: &str) -> Option<u32> {
    lines::<4>(group).find_map(|[group, _, gid, _]| if group == name.as_bytes() { id(gid) } else { None })
}

/// The groups that list `name` as a member, at most [`MAX_GROUPS`], and `primary` first.
pub(super) fn groups_of(group: &[u8], name: &str, primary: u32) -> Vec<u32> {
    let mut found = vec![primary];
    for [_, _, gid, members] in lines::<4>(group) {
        if found.len() < MAX_GROUPS
            && members.split(|&b| b == b',').any(|member| member == name.as_bytes())
            && let Some(gid) = id(gid)
            && !found.contains(&gid)
        {
            found.push(gid);
        }
    }
    found
}

/// Names of ids, for listings: the first field of each line by its third. Of several names the first counts.
pub(super) fn names_by_id(text: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.split(|&b| b == b'\n') {
        let mut fields = line.split(|&b| b == b':');
        if let (Some(name), Some(id)) = (fields.next(), fields.nth(1).and_then(id)) {
            names.entry(id).or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        }
    }
    names
}

/// Whether no account has this uid.
pub(super) fn uid_is_free(passwd: &[u8], uid: u32) -> bool {
    !lines::<7>(passwd).any(|[_, _, field, ..]| id(field) == Some(uid))
}

/// Whether the id is one of users and no account's.
pub(super) fn is_users(passwd: &[u8], uid: u32) -> bool {
    (FIRST_ID..=LAST_ID).contains(&uid) && uid_is_free(passwd, uid)
}

/// Whether no group has this gid.
pub(super) fn gid_is_free(group: &[u8], gid: u32) -> bool {
    !lines::<4>(group).any(|[_, _, field, _]| id(field) == Some(gid))
}

/// Where the ids begin that stand for those outside of a user namespace's map, and how many there are: above accounts
/// that images make, below 65534.
const FIRST_STAND_IN: u32 = 10_000;
const STAND_INS: u32 = 50_000;

/// `uid` if the user namespace with the map `uid_map` has it, else the id that stands for it there.
/// Ids that follow one another, 50,000 of them, have different ones.
pub(super) fn within(uid_map: &str, uid: u32) -> u32 {
    let has = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        uid >= first && uid - first < count
    };
    if uid_map.is_empty() || uid_map.lines().any(has) { uid } else { FIRST_STAND_IN + uid % STAND_INS }
}

/// Ids for a new account that is to have the id `own`, as user and as group, unless another account has it. A group that
/// already has the account's name is used.
pub(super) fn own_ids(passwd: &[u8], group: &[u8], name: &str, own: u32) -> Option<(u32, u32)> {
    let own_group = find_group(group, name).or_else(|| gid_is_free(group, own).then_some(own));
    Some((uid_is_free(passwd, own).then_some(own)?, own_group?))
}

/// Ids for a new account that is to have none in particular: the owner of a home that outlived its container if no account
/// has that, else the first number from `first` on that is free both as user and as group. A group that already has the
/// account's name is used.
pub(super) fn choose_ids(
    passwd: &[u8],
    group: &[u8],
    name: &str,
    home_owner: Option<u32>,
    first: u32,
) -> Option<(u32, u32)> {
    let own_group = find_group(group, name);
    let fits = |id: &u32| uid_is_free(passwd, *id) && (own_group.is_some() || gid_is_free(group, *id));
    let wanted = home_owner.filter(|id| is_users(passwd, *id));
    let uid = wanted.or_else(|| (first..=LAST_ID).find(fits))?;
    let free_group = || [uid].into_iter().chain(first..=LAST_ID).find(|id| gid_is_free(group, *id));
    Some((uid, own_group.or_else(free_group)?))
}

/// `text` with `line` behind it, whether or not its last line is finished.
pub(super) fn append(mut text: Vec<u8>, line: &[u8]) -> Vec<u8> {
    if text.last().is_some_and(|&b| b != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    text.push(b'\n');
    text
}

/// The line of `/etc/passwd` for a new account.
pub(super) fn passwd_line(name: &str, uid: u32, gid: u32, home: &OsStr, shell: &OsStr) -> Vec<u8> {
    let mut line = format!("{name}:x:{uid}:{gid}::").into_bytes();
    line.extend_from_slice(home.as_bytes());
    line.push(b':');
    line.extend_from_slice(shell.as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\nbroken\nubuntu:x:1000:1000::/home/ubuntu:/bin/sh\n\
        alice:x:12:34:Alice \xff:/srv/alice:\nalice:x:99:99::/:/bin/sh\nbig:x:4294967295:1::/:\nneg:x:-1:1::/:\n";
    const GROUP: &[u8] =
        b"root:x:0:\naudio:x:29:alice,bob\nvideo:x:44:bob\nplugdev:x:46:alicex,alice\nubuntu:x:1000:\n";

    #[test]
    fn the_first_entry_of_a_name_counts() {
        let alice = find(PASSWD, "alice").unwrap();
        assert_eq!((alice.uid, alice.gid), (12, 34));
        assert_eq!(alice.home, PathBuf::from("/srv/alice"));
        assert!(find(PASSWD, "carol").is_none());
        assert!(find(PASSWD, "broken").is_none());
    }

    #[test]
    fn an_id_that_means_no_change_is_no_id() {
        assert!(find(PASSWD, "big").is_none());
        assert!(find(PASSWD, "neg").is_none());
    }

    #[test]
    fn groups_are_those_that_name_the_member_in_full() {
        assert_eq!(groups_of(GROUP, "alice", 34), [34, 29, 46]);
        assert_eq!(groups_of(GROUP, "carol", 7), [7]);
        let flood: Vec<u8> = (0..5000).flat_map(|n| format!("g{n}:x:{n}:alice\n").into_bytes()).collect();
        assert_eq!(groups_of(&flood, "alice", 1).len(), MAX_GROUPS);
    }

    #[test]
    fn a_new_account_takes_unused_ids() {
        assert_eq!(choose_ids(PASSWD, GROUP, "carol", None, FIRST_ID), Some((1001, 1001)));
        assert_eq!(choose_ids(b"", b"", "carol", None, FIRST_ID), Some((1000, 1000)));
        assert_eq!(choose_ids(b"", b"x:x:1000:\n", "carol", None, FIRST_ID), Some((1001, 1001)));
        assert_eq!(choose_ids(b"", b"carol:x:55:\n", "carol", None, FIRST_ID), Some((1000, 55)));
    }

    #[test]
    fn an_id_of_the_users_own_is_taken_unless_the_image_has_given_it_away() {
        assert_eq!(own_ids(PASSWD, GROUP, "carol", 70_000), Some((70_000, 70_000)));
        assert_eq!(own_ids(PASSWD, b"carol:x:55:\n", "carol", 70_000), Some((70_000, 55)));
        assert_eq!(own_ids(PASSWD, GROUP, "carol", 1000), None);
        assert_eq!(own_ids(b"", GROUP, "carol", 29), None);
        assert!(is_users(PASSWD, 1001) && !is_users(PASSWD, 1000) && !is_users(PASSWD, 70_000));
    }

    #[test]
    fn an_id_that_a_user_namespace_lacks_has_a_stand_in_of_its_own() {
        let whole = "         0          0 4294967295\n";
        let small = "         0     100000      65536\n";
        assert_eq!((within(whole, 70_000), within("", 70_000)), (70_000, 70_000));
        assert_eq!((within(small, 1234), within("0 1000 1\n1 100000 65535\n", 65_535)), (1234, 65_535));
        let stand_ins: std::collections::BTreeSet<u32> = (65_536..100_000).map(|uid| within(small, uid)).collect();
        assert_eq!(stand_ins.len(), 34_464);
        assert!(stand_ins.iter().all(|uid| (10_000..60_000).contains(uid)));
        assert_eq!(within("nonsense\n", 70_000), 30_000);
    }

    #[test]
    fn a_home_that_outlived_its_container_keeps_its_owner() {
        assert_eq!(choose_ids(PASSWD, GROUP, "carol", Some(1234), FIRST_ID), Some((1234, 1234)));
        assert_eq!(choose_ids(PASSWD, GROUP, "carol", Some(1000), FIRST_ID), Some((1001, 1001)));
        assert_eq!(choose_ids(PASSWD, GROUP, "carol", Some(0), FIRST_ID), Some((1001, 1001)));
        // Whatever group has the number: files are found by their owner.
        assert_eq!(choose_ids(b"", b"x:x:1234:\n", "carol", Some(1234), FIRST_ID), Some((1234, 1000)));
        assert_eq!(choose_ids(PASSWD, GROUP, "carol", Some(1000), FIRST_PERSISTENT_ID), Some((2000, 2000)));
    }

    #[test]
    fn an_unfinished_last_line_is_finished_first() {
        assert_eq!(append(b"a:b".to_vec(), b"c:d"), b"a:b\nc:d\n");
        assert_eq!(append(Vec::new(), b"c:d"), b"c:d\n");
        let line = passwd_line("carol", 1, 2, OsStr::new("/home/carol"), OsStr::new("/bin/sh"));
        assert_eq!(find(&line, "carol").unwrap().home, PathBuf::from("/home/carol"));
    }
}
