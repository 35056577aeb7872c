//! All accounts and groups of this host's own files at once, with `/etc/shadow`: for the verbs of administrators.
//!
//! Reads `/etc/passwd`, `/etc/group` and `/etc/shadow` anew; accounts of a directory server are not among them.

use super::{Account, account_line, number};
use crate::domain::UserName;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A group with those whom `/etc/group` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub gid: u32,
    /// Its members, without those whose primary group it is.
    pub members: Vec<String>,
}

/// The state of an account's password field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// No password fits and the account is open: `*`.
    None,
    /// No password fits, and sshd without PAM takes the account for locked: `!`.
    Locked,
    /// A password that an administrator locked: `!` before it.
    LockedHash,
    /// Anybody gets in where empty passwords are allowed.
    Empty,
    /// There is one.
    Usable,
}

/// A line of `/etc/shadow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// The password.
    pub password: Password,
    /// The day since 1970 from which on the account is expired.
    pub expires: Option<i64>,
}

impl Shadow {
    /// Whether the account is expired on `day` since 1970.
    #[must_use]
    pub fn is_expired(&self, day: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= day)
    }
}

/// The files, as they were when they were read.
#[derive(Debug, Clone, Default)]
pub struct LocalAccounts {
    /// Every account whose name podspawn can carry.
    pub accounts: Vec<Account>,
    /// Every group.
    pub groups: Vec<Group>,
    shadow: Vec<(String, Shadow)>,
}

/// The password field of an account in the `/etc/shadow` under `root`, as it stands; `None` if there is no line.
pub fn password_field(root: &Path, name: &str) -> io::Result<Option<String>> {
    let text = fs::read(root.join("etc/shadow"))?;
    let field = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b':');
        (fields.next() == Some(name.as_bytes())).then(|| fields.next().map(<[u8]>::to_vec)).flatten()
    };
    let Some(field) = split(&text).find_map(field) else { return Ok(None) };
    String::from_utf8(field).map(Some).map_err(io::Error::other)
}

impl LocalAccounts {
    /// Reads the files under `root`; `/etc/shadow` is root's alone.
    pub fn read(root: &Path) -> io::Result<Self> {
        let lines = |name: &str| -> io::Result<Vec<u8>> {
            let path: PathBuf = root.join("etc").join(name);
            match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                read => read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
            }
        };
        Ok(Self::parse(&lines("passwd")?, &lines("group")?, &lines("shadow")?))
    }

    fn parse(passwd: &[u8], group: &[u8], shadow: &[u8]) -> Self {
        let accounts = split(passwd).filter_map(|line| match account_line(line, |_| true) {
            super::Found::Entry(account) => Some(account),
            super::Found::Unusable | super::Found::Nothing => None,
        });
        Self {
            accounts: accounts.collect(),
            groups: split(group).filter_map(group_entry).collect(),
            shadow: split(shadow).filter_map(shadow_entry).collect(),
        }
    }

    /// The account called `name`.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name.as_ref() == name)
    }

    /// The group called `name`.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The line of an account in `/etc/shadow`.
    #[must_use]
    pub fn shadow(&self, name: &str) -> Option<Shadow> {
        self.shadow.iter().find(|(user, _)| user == name).map(|(_, shadow)| *shadow)
    }

    /// All accounts in the group called `name`: those with that primary group, and its listed members.
    #[must_use]
    pub fn members(&self, name: &str) -> Vec<UserName> {
        let Some(group) = self.group(name) else { return Vec::new() };
        let primary = self.accounts.iter().filter(|account| account.gid == group.gid).map(|account| &account.name);
        let mut members: Vec<UserName> = primary.cloned().collect();
        members.extend(group.members.iter().filter_map(|name| name.parse().ok()));
        members.sort();
        members.dedup();
        members
    }

    /// The names of all groups that `account` is in.
    #[must_use]
    pub fn groups_of(&self, account: &Account) -> Vec<String> {
        let is_in = |group: &&Group| {
            group.gid == account.gid || group.members.iter().any(|member| member == account.name.as_ref())
        };
        self.groups.iter().filter(is_in).map(|group| group.name.clone()).collect()
    }
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn group_entry(line: &[u8]) -> Option<Group> {
    let mut fields = line.split(|byte| *byte == b':');
    let (name, _, gid) = (fields.next()?, fields.next()?, number(fields.next()?)?);
    let members = str::from_utf8(fields.next().unwrap_or_default()).ok()?;
    Some(Group {
        name: str::from_utf8(name).ok()?.to_owned(),
        gid,
        members: members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect(),
    })
}

fn shadow_entry(line: &[u8]) -> Option<(String, Shadow)> {
    let fields: Vec<&str> = str::from_utf8(line).ok()?.split(':').collect();
    let password = match *fields.get(1)? {
        "" => Password::Empty,
        "!" | "!!" | "!*" => Password::Locked,
        field if field.starts_with('!') => Password::LockedHash,
        // crypt(5): no hash begins with it, and none is so short.
        field if field.starts_with('*') || field.len() < 13 => Password::None,
        _ => Password::Usable,
    };
    let expires = fields.get(7).and_then(|day| day.parse().ok());
    Some(((*fields.first()?).to_owned(), Shadow { password, expires }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> LocalAccounts {
        LocalAccounts::parse(
            b"root:x:0:0::/root:/bin/bash\nalice:x:1000:990::/var/empty:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n\
              +::::::\nbroken\n",
            b"root:x:0:\npodspawn:x:990:bob,ghost,\nsudo:x:27:bob\nbob:x:1001:\nbroken\n",
            b"root:$y$j9T$aaaaaaaaaaaaa:1::::::\nalice:!*:1::::::\nbob:!$6$x$yyyyyyyyyyyyyy:1:0:99999:7::100:\nx::1:\ny:*:1:\n",
        )
    }

    #[test]
    fn a_group_has_those_whose_primary_group_it_is_and_those_it_lists() {
        let local = sample();
        let members: Vec<String> = local.members("podspawn").into_iter().map(Into::into).collect();
        assert_eq!(members, ["alice", "bob", "ghost"]);
        assert!(local.members("no-such-group").is_empty());
        assert_eq!(local.groups_of(local.account("bob").unwrap()), ["podspawn", "sudo", "bob"]);
        assert_eq!(local.accounts.len(), 3);
    }

    #[test]
    fn a_password_field_is_open_locked_empty_or_usable() {
        let local = sample();
        let password = |name: &str| local.shadow(name).unwrap().password;
        assert_eq!(password("root"), Password::Usable);
        assert_eq!(password("alice"), Password::Locked);
        assert_eq!(password("bob"), Password::LockedHash);
        assert_eq!(password("x"), Password::Empty);
        assert_eq!(password("y"), Password::None);
        assert_eq!(local.shadow("ghost"), None);
        let bob = local.shadow("bob").unwrap();
        assert!(bob.is_expired(100) && !bob.is_expired(99));
    }
}
