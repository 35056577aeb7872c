//! Whom a login runs as: the image's account of that name, or one that is made on first need.
//!
//! Nothing is cached, since a user of the container may edit its accounts at any time.

use super::{
    accounts::{self, Entry},
    files::{self, FileError, under},
    home::{self, Owner},
    persistent::Persistent,
    shell::Shell,
};
use crate::{
    domain::UserName,
    protocol::guest::{HOMES, Login},
};
use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Everything about an account that a process of it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: UserName,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Its groups, the primary one first.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    /// `None` in an image without any shell.
    pub(super) shell: Option<Shell>,
}

/// Why there is no account to run as.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("cannot read the accounts of this container: {0}")]
    Accounts(#[from] FileError),
    #[error("this container has no user id left between {} and {}", accounts::FIRST_ID, accounts::LAST_ID)]
    NoIdLeft,
}

/// An account that may log in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) account: Account,
    /// Whether its home was made or filled just now.
    pub(super) is_fresh: bool,
    /// A word for the user at a terminal: the home cannot be had, or the shell is another than the configured one.
    pub(super) remark: Option<String>,
}

/// The account of `login` in the container at `root`; one that is made gets the id `own`, if it is given and the image has
/// not given it away. With `first` its home is seen to as well; the caller says so once
/// per name, so that a home that its owner has emptied stays empty.
pub(super) fn resolve(root: &Path, login: &Login, own: Option<u32>, first: bool) -> Result<Resolved, LoginError> {
    let (account, is_new) = look_up(root, login, own, None)?;
    // Where a home cannot be made the login still works, in `/`; sshd does the same.
    let adopt = is_new || account.home.starts_with(HOMES);
    let is_fresh = first && home::prepare(root, &account.home, owner(&account), adopt).unwrap_or(false);
    let remark = substitution(root, login, &account);
    Ok(Resolved { account, is_fresh, remark })
}

/// The same for a login whose home is `persistent`.
pub(super) fn resolve_persistent(
    root: &Path,
    login: &Login,
    own: Option<u32>,
    persistent: &Persistent,
) -> Result<Resolved, LoginError> {
    let home = Path::new(HOMES).join(login.name.as_ref());
    // Before the ids are chosen: another container may be about to give the home its owner.
    let claimed = persistent.claim(&under(root, &home));
    let (mut account, _) = look_up(root, login, own, Some(persistent))?;
    // Wherever the image has the home of its account: this is the one that is kept.
    account.home = home;
    let (is_fresh, remark) = match claimed.and_then(|()| persistent.prepare(root, owner(&account))) {
        Ok(is_fresh) => (is_fresh, substitution(root, login, &account)),
        Err(error) => (false, Some(error.to_string())),
    };
    Ok(Resolved { account, is_fresh, remark })
}

fn substitution(root: &Path, login: &Login, account: &Account) -> Option<String> {
    account.shell.as_ref()?.substitution(root, Path::new(&login.shell))
}

fn owner(account: &Account) -> Owner {
    Owner { uid: account.uid, gid: account.gid }
}

/// The account of `login`, made if the image has none, and whether it was.
fn look_up(
    root: &Path,
    login: &Login,
    own: Option<u32>,
    persistent: Option<&Persistent>,
) -> Result<(Account, bool), LoginError> {
    let name = login.name.as_ref();
    let etc = under(root, Path::new("/etc"));
    let passwd = files::read(&etc.join("passwd"))?.unwrap_or_default();
    let group = files::read(&etc.join("group"))?.unwrap_or_default();
    let preferred = Path::new(&login.shell);
    let known = accounts::find(&passwd, name);
    let is_new = known.is_none();
    let entry = match known {
        Some(entry) => entry,
        None => create(root, name, preferred, &passwd, &group, own, persistent)?,
    };
    let account = Account {
        name: login.name.clone(),
        uid: entry.uid,
        gid: entry.gid,
        groups: accounts::groups_of(&group, name, entry.gid),
        shell: Shell::find(root, Some(&entry.shell), preferred),
        home: entry.home,
    };
    Ok((account, is_new))
}

/// Makes an account. On a read-only root it is not written down, but has the same ids at every login.
fn create(
    root: &Path,
    name: &str,
    preferred: &Path,
    passwd: &[u8],
    group: &[u8],
    own: Option<u32>,
    persistent: Option<&Persistent>,
) -> Result<Entry, LoginError> {
    let home = Path::new(HOMES).join(name);
    let (owner, first_id) = match persistent {
        Some(persistent) => (persistent.owner(root), accounts::FIRST_PERSISTENT_ID),
        None => (home::owner_of_files(&under(root, &home)), accounts::FIRST_ID),
    };
    // An image that brings the home with files in it means their owner; a persistent one is handed over.
    let is_brought = persistent.is_none() && owner.is_some_and(|uid| accounts::is_users(passwd, uid));
    let own = own.filter(|_| !is_brought).and_then(|own| accounts::own_ids(passwd, group, name, own));
    let ids = own.or_else(|| accounts::choose_ids(passwd, group, name, owner, first_id));
    let (uid, gid) = ids.ok_or(LoginError::NoIdLeft)?;
    let shell = Shell::find(root, None, preferred).map_or_else(|| "/bin/sh".into(), |shell| shell.program);
    let entry = Entry { uid, gid, home, shell };
    // What cannot be written is not needed to run; what is needed most is written last.
    let _ = record(root, name, &entry, passwd, group);
    Ok(entry)
}

fn record(root: &Path, name: &str, entry: &Entry, passwd: &[u8], group: &[u8]) -> Result<(), FileError> {
    let etc = under(root, Path::new("/etc"));
    if !etc.exists() {
        // Fails where the root is read-only; so does the next step, which reports it.
        let _ = std::fs::create_dir(&etc);
    }
    if accounts::find_group(group, name).is_none() {
        let line = format!("{name}:x:{}:", entry.gid);
        files::extend(&etc.join("group"), group, &accounts::append(group.to_vec(), line.as_bytes()), 0o644)?;
    }
    let has_line = |shadow: &[u8]| {
        shadow.split(|&b| b == b'\n').any(|line| line.split(|&b| b == b':').next() == Some(name.as_bytes()))
    };
    if let Some(shadow) = files::read(&etc.join("shadow"))?.filter(|shadow| !has_line(shadow)) {
        let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400);
        // `*`: no password opens it, yet it is not locked (`!`), which PAM would refuse.
        let line = format!("{name}:*:{day}:0:99999:7:::");
        files::extend(&etc.join("shadow"), &shadow, &accounts::append(shadow.clone(), line.as_bytes()), 0o600)?;
    }
    let line = accounts::passwd_line(name, entry.uid, entry.gid, entry.home.as_os_str(), entry.shell.as_os_str());
    files::extend(&etc.join("passwd"), passwd, &accounts::append(passwd.to_vec(), &line), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn login(name: &str) -> Login {
        Login { name: name.parse().unwrap(), shell: "/bin/bash".into() }
    }

    fn account(root: &Path, name: &str, first: bool) -> Account {
        resolve(root, &login(name), None, first).unwrap().account
    }

    fn text(root: &Path, file: &str) -> String {
        std::fs::read_to_string(root.join(file)).unwrap()
    }

    #[test]
    fn an_image_without_etc_gets_accounts() {
        let root = tempfile::tempdir().unwrap();
        let account = account(root.path(), "alice", false);
        assert_eq!((account.uid, account.gid, account.groups.as_slice()), (1000, 1000, &[1000][..]));
        assert_eq!(account.shell, None);
        assert_eq!(text(root.path(), "etc/passwd"), "alice:x:1000:1000::/home/alice:/bin/sh\n");
        assert_eq!(text(root.path(), "etc/group"), "alice:x:1000:\n");
        assert!(!root.path().join("etc/shadow").exists());
        assert_eq!(resolve(root.path(), &login("alice"), None, false).unwrap().account, account);
        assert_eq!(text(root.path(), "etc/passwd").lines().count(), 1);
    }

    #[test]
    fn an_account_of_the_image_is_used_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/passwd"), "ubuntu:x:1000:1001::/srv/u:/bin/sh\n").unwrap();
        std::fs::write(root.path().join("etc/group"), "sudo:x:27:ubuntu\n").unwrap();
        let account = account(root.path(), "ubuntu", false);
        assert_eq!((account.uid, account.gid, account.groups.as_slice()), (1000, 1001, &[1001, 27][..]));
        assert_eq!(account.home, Path::new("/srv/u"));
        assert_eq!(text(root.path(), "etc/passwd").lines().count(), 1);
    }

    #[test]
    fn a_new_account_has_a_password_that_nothing_matches() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/shadow"), "root:*:1::::::").unwrap();
        std::fs::set_permissions(root.path().join("etc/shadow"), std::fs::Permissions::from_mode(0o640)).unwrap();
        resolve(root.path(), &login("alice"), None, false).unwrap();
        let shadow = text(root.path(), "etc/shadow");
        assert!(shadow.starts_with("root:*:1::::::\nalice:*:"), "{shadow}");
        let mode = std::fs::metadata(root.path().join("etc/shadow")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }

    #[test]
    fn accounts_that_cannot_be_read_are_a_clear_refusal() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/passwd")).unwrap();
        let error = resolve(root.path(), &login("alice"), None, false).unwrap_err().to_string();
        assert!(error.ends_with("etc/passwd is not a regular file"), "{error}");
    }

    #[test]
    fn an_account_has_the_users_own_id_unless_the_image_insists_on_another() {
        let resolved = |files: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join("etc")).unwrap();
            for (name, text) in files {
                std::fs::write(root.path().join(name), text).unwrap();
            }
            let account = resolve(root.path(), &login("alice"), Some(70_000), true).unwrap().account;
            (account.uid, account.gid)
        };
        assert_eq!(resolved(&[]), (70_000, 70_000));
        // As ubuntu:24.04 has it, and images for dev containers.
        assert_eq!(resolved(&[("etc/passwd", "ubuntu:x:1000:1000::/home/ubuntu:/bin/sh\n")]), (70_000, 70_000));
        // An account of the user's name, and one that has the id.
        assert_eq!(resolved(&[("etc/passwd", "alice:x:1234:5::/:/bin/sh\n")]), (1234, 5));
        assert_eq!(resolved(&[("etc/passwd", "other:x:70000:5::/:/bin/sh\n")]), (1000, 1000));
    }

    #[test]
    fn where_nothing_can_be_written_the_login_still_has_ids() {
        let root = tempfile::tempdir().unwrap();
        // A file where the directory should be: nothing below it can be made, under any account.
        std::fs::write(root.path().join("etc"), "").unwrap();
        let account = account(root.path(), "alice", true);
        assert_eq!((account.uid, account.gid), (1000, 1000));
    }
}
