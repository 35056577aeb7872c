//! Lookups of accounts and groups: in `/etc/passwd`, then in systemd's user database, then by getent(1).
//!
//! Never a name-service call of libc: a static glibc loads no NSS modules and would silently know less. Nothing here
//! decides what an account may do.
//!
//! Lookups of local accounts cost one stat once warm. The other sources block, at most [`DEADLINE`] each: an async
//! caller asks [`Accounts::local`] first and runs [`Accounts::by_uid`] where blocking is allowed.

mod account;
pub mod confinement;
mod getent;
pub mod jobs;
pub mod local;
pub mod processes;
mod table;
pub mod uids;
mod userdb;

pub use account::{Account, AccountError, DEADLINE};

use crate::domain::UserName;
use account::Answer;
use std::{
    io,
    path::{Path, PathBuf},
};
use table::{Found, Table};

/// The sources of accounts and groups, in their order.
#[derive(Debug)]
pub struct Accounts {
    root: PathBuf,
    passwd: Table<Account>,
    group: Table<u32>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Accounts {
    /// This host's.
    #[must_use]
    pub fn new() -> Self {
        Self::under(Path::new("/"))
    }

    /// Those of the tree under `root`.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            passwd: Table::new(root.join("etc/passwd")),
            group: Table::new(root.join("etc/group")),
        }
    }

    /// The account of `uid` if `/etc/passwd` has it; never waits for anything but that file.
    ///
    /// `Ok(None)` means that another source may know it.
    pub fn local(&self, uid: u32) -> Result<Option<Account>, AccountError> {
        match self.passwd.find(&uid.to_string(), |line| account_line(line, |account| account.uid == uid)) {
            Ok(Found::Entry(account)) => Ok(Some(account)),
            Ok(Found::Unusable) => Err(AccountError::Unknown),
            Ok(Found::Nothing) => Ok(None),
            Err(error) => Err(AccountError::Unavailable(error)),
        }
    }

    /// The account of `uid`. Blocks.
    pub fn by_uid(&self, uid: u32) -> Result<Account, AccountError> {
        if let Some(account) = self.local(uid)? {
            return Ok(account);
        }
        let remote = otherwise(userdb::user(&self.root, &userdb::Key::Uid(uid)), || {
            Ok(getent::line(&self.root, "passwd", &uid.to_string())?.and_then(|line| usable(&line)))
        });
        settle(remote, |account: &Account| account.uid == uid)
    }

    /// The account called `name`. Blocks.
    pub fn by_name(&self, name: &UserName) -> Result<Account, AccountError> {
        match self.passwd.find(name.as_ref(), |line| account_line(line, |account| account.name == name.as_ref())) {
            Ok(Found::Entry(account)) => return Ok(account),
            Ok(Found::Unusable) => return Err(AccountError::Unknown),
            Ok(Found::Nothing) => {}
            Err(error) => return Err(AccountError::Unavailable(error)),
        }
        let remote = otherwise(userdb::user(&self.root, &userdb::Key::Name(name.as_ref())), || {
            Ok(getent::line(&self.root, "passwd", name.as_ref())?.and_then(|line| usable(&line)))
        });
        settle(remote, |account: &Account| account.name == *name)
    }

    /// Whether any account has `uid`, be its name one that podspawn can carry or not. Blocks.
    pub fn has_uid(&self, uid: u32) -> Result<bool, AccountError> {
        match self.local(uid) {
            Ok(Some(_)) | Err(AccountError::Unknown) => return Ok(true),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
        let remote = otherwise(userdb::exists(&self.root, &userdb::Key::Uid(uid)), || {
            Ok(getent::line(&self.root, "passwd", &uid.to_string())?.map(drop))
        });
        match settle(remote, |()| true) {
            Ok(()) => Ok(true),
            Err(AccountError::Unknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether there is an account called `name`. Blocks.
    pub fn has(&self, name: &UserName) -> Result<bool, AccountError> {
        match self.by_name(name) {
            Ok(_) => Ok(true),
            Err(AccountError::Unknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The id of the group called `name` if `/etc/group` has it; never waits for anything but that file.
    pub fn local_group(&self, name: &str) -> Result<Option<u32>, AccountError> {
        match self.group.find(name, |line| group_line(line, name)) {
            Ok(Found::Entry(gid)) => Ok(Some(gid)),
            Ok(Found::Unusable) => Err(AccountError::Unknown),
            Ok(Found::Nothing) => Ok(None),
            Err(error) => Err(AccountError::Unavailable(error)),
        }
    }

    /// The id of the group called `name`. Blocks if `/etc/group` does not have it.
    pub fn group(&self, name: &str) -> Result<u32, AccountError> {
        // A name with a colon or a newline would read as another entry of the file.
        if name.parse::<UserName>().is_err() {
            return Err(AccountError::Unknown);
        }
        if let Some(gid) = self.local_group(name)? {
            return Ok(gid);
        }
        let remote = otherwise(userdb::group(&self.root, name), || {
            let line = getent::line(&self.root, "group", name)?;
            Ok(line.and_then(|line| match group_line(line.as_bytes(), name) {
                Found::Entry(gid) => Some(gid),
                Found::Unusable | Found::Nothing => None,
            }))
        });
        settle(remote, |_| true)
    }
}

/// The answer of the user database, or that of getent where the database did not answer.
fn otherwise<T>(database: Answer<T>, getent: impl FnOnce() -> Answer<T>) -> Answer<T> {
    let silence = match database {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    match getent() {
        // There is no getent either: no source answered.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(silence),
        answer => answer,
    }
}

/// The result after the last source's answer; a source that does not exist knows no account.
fn settle<T>(answer: Answer<T>, is_asked: impl FnOnce(&T) -> bool) -> Result<T, AccountError> {
    match answer {
        Ok(Some(entry)) if is_asked(&entry) => Ok(entry),
        Ok(_) => Err(AccountError::Unknown),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(AccountError::Unknown),
        Err(error) => Err(AccountError::Unavailable(error)),
    }
}

/// A line of passwd(5) before its name is judged.
struct AccountLine<'a> {
    name: &'a str,
    uid: u32,
}

/// The account in a line of passwd(5), if it is the one asked for.
fn account_line(line: &[u8], is_asked: impl FnOnce(&AccountLine<'_>) -> bool) -> Found<Account> {
    // Name, password, uid: enough to see whether it is the one, without reading the rest of 10,000 lines.
    let mut fields = line.split(|byte| *byte == b':');
    let (Some(name), Some(_), Some(uid)) = (fields.next(), fields.next(), fields.next()) else { return Found::Nothing };
    let (Ok(name), Some(uid)) = (str::from_utf8(name), number(uid)) else { return Found::Nothing };
    if !is_asked(&AccountLine { name, uid }) {
        return Found::Nothing;
    }
    let rest: Vec<&[u8]> = fields.collect();
    let (Ok(name), [gid, _, home, shell]) = (name.parse(), rest.as_slice()) else { return Found::Unusable };
    let Some(gid) = number(gid) else { return Found::Unusable };
    Found::Entry(Account { name, uid, gid, home: path(home, "/"), shell: path(shell, "/bin/sh") })
}

/// The account in a line that getent printed.
fn usable(line: &str) -> Option<Account> {
    match account_line(line.as_bytes(), |_| true) {
        Found::Entry(account) => Some(account),
        Found::Unusable | Found::Nothing => None,
    }
}

/// The gid in a line of group(5), if it is the group asked for.
fn group_line(line: &[u8], name: &str) -> Found<u32> {
    let mut fields = line.split(|byte| *byte == b':');
    if fields.next() != Some(name.as_bytes()) {
        return Found::Nothing;
    }
    fields.nth(1).and_then(number).map_or(Found::Unusable, Found::Entry)
}

/// A decimal id; signs and spaces, which `str::parse` or other readers would take, are none.
fn number(text: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(text).ok()?;
    if digits.starts_with('+') { None } else { digits.parse().ok() }
}

/// An empty field means `default` (passwd(5)).
fn path(text: &[u8], default: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    if text.is_empty() { default.into() } else { std::ffi::OsStr::from_bytes(text).into() }
}

#[cfg(test)]
mod tests;
