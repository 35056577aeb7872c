//! The accounts and directories that podspawn needs, as `systemd/` describes them, compared with this host's.

use crate::{accounts::local::LocalAccounts, sys::immutable};
use std::{os::unix::fs::MetadataExt as _, path::Path};

/// The accounts, as systemd-sysusers reads them.
pub const SYSUSERS: &str = include_str!("../../systemd/sysusers.d/podspawn.conf");
/// The directories, as systemd-tmpfiles reads them.
pub const TMPFILES: &str = include_str!("../../systemd/tmpfiles.d/podspawn.conf");

/// The differences, one line each: accounts and groups that are missing, directories that are missing or different.
#[must_use]
pub fn differences(root: &Path, local: &LocalAccounts) -> Vec<String> {
    let accounts = lines(SYSUSERS).filter_map(|line| account(line, local));
    accounts.chain(lines(TMPFILES).filter_map(|line| directory(line, root, local))).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn account(line: &str, local: &LocalAccounts) -> Option<String> {
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()?) {
        ("g", name) if local.group(name).is_none() => Some(format!("group {name}")),
        ("u", name) if local.account(name).is_none() => Some(format!("account {name}")),
        _ => None,
    }
}

fn directory(line: &str, root: &Path, local: &LocalAccounts) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, path, mode, user, group, ..] = words.as_slice() else { return None };
    let wanted = format!("directory {path}, {user}:{group} with mode {mode}");
    let found = root.join(path.trim_start_matches('/'));
    let Ok(about) = found.metadata() else { return Some(wanted) };
    // A directory that NixOS declares is root's, and is never changed.
    if about.is_dir() && immutable::is_stored(&found) {
        return None;
    }
    let is_so = about.is_dir()
        && u32::from_str_radix(mode, 8) == Ok(about.mode() & 0o7777)
        && local.account(user).is_some_and(|account| account.uid == about.uid())
        && local.group(group).is_some_and(|found| found.gid == about.gid());
    (!is_so).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn everything_that_is_missing_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let all = differences(root.path(), &LocalAccounts::default());
        for wanted in [
            "group podspawn",
            "group podspawn-admin",
            "account podspawn",
            "account podspawn-keys",
            "directory /etc/podspawn/keys, root:podspawn-keys with mode 0750",
            "directory /var/empty, root:root with mode 0555",
        ] {
            assert!(all.iter().any(|found| found == wanted), "{wanted}: {all:?}");
        }
        fs::write(root.path().join("etc/group"), "podspawn:x:990:\npodspawn-admin:x:991:\n").unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        let fewer = differences(root.path(), &local);
        assert_eq!(fewer.len(), all.len() - 2, "{fewer:?}");
    }

    #[test]
    fn a_directory_with_another_owner_or_mode_is_named() {
        let root = tempfile::tempdir().unwrap();
        let about = root.path().metadata().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), format!("me:x:{}:0::/:/bin/sh\n", about.uid())).unwrap();
        fs::write(root.path().join("etc/group"), format!("us:x:{}:\n", about.gid())).unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        let line = |mode: &str| format!("d /etc {mode} me us -");
        let mode = root.path().join("etc").metadata().unwrap().mode() & 0o7777;
        assert_eq!(directory(&line(&format!("{mode:04o}")), root.path(), &local), None);
        assert!(directory(&line("0701"), root.path(), &local).is_some());
        assert!(directory("d /etc/passwd 0644 me us -", root.path(), &local).is_some());
    }
}
