//! `ways-in`: an administrator can log in to this host over ssh without podspawn.
//!
//! An administrator is root, a member of a group that sudo trusts by custom, or the user who called podspawn through
//! sudo. A member of group podspawn gets a container and does not count.

use super::{
    Check, Group, Host, Problem, Report,
    sshd::{REFUSES, binary::obstacle},
};
use crate::{
    accounts::{
        Account,
        local::{LocalAccounts, Password},
    },
    domain::UserName,
    sshd::{self, Connection, ELSEWHERE, Effective, Sshd, block::GROUP, pattern},
};
use ssh_key::PublicKey;
use std::{
    ffi::OsStr,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "ways-in",
    group: Group::Host,
    passes_if: "an administrator can log in to this host over ssh without podspawn",
    problems: &[NO_WAY.as_warning(), UNREAD.as_warning()],
    needs_root: true,
    run,
};
/// A failure where `server-setup` would cause it, and a warning on a host where it is so already.
const NO_WAY: Problem = Problem::fail(
    "no administrator can",
    "give root, or a member of sudo or wheel who is not podspawn's, a key or a password that sshd takes, or put a key \
     into /etc/podspawn/emergency.keys and add to sshd_config, before any Match: AuthorizedKeysFile \
     .ssh/authorized_keys /etc/podspawn/emergency.keys",
)
.on_nixos(DECLARED);
const UNREAD: Problem = Problem::fail(
    "no administrator can, and sshd does not read `/etc/podspawn/emergency.keys`",
    "sshd does not read /etc/podspawn/emergency.keys yet; add to sshd_config, before any Match: AuthorizedKeysFile \
     .ssh/authorized_keys /etc/podspawn/emergency.keys",
)
.on_nixos(DECLARED);
const DECLARED: &str =
    "set users.users.NAME.openssh.authorizedKeys.keys of root, or of a member of wheel who is not podspawn's";

/// More administrators than this are not asked about: each costs a process.
const MAX_ADMINISTRATORS: usize = 12;
/// The administrator's own keys, apart from podspawn's.
pub const EMERGENCY_KEYS: &str = "/etc/podspawn/emergency.keys";
/// Groups whose members may become root on one distribution or another.
const ADMIN_GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];
/// Most of a key file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

fn run(host: &Host) -> Report {
    let (Ok(local), Ok(sshd)) = (host.accounts(), Sshd::find(None)) else {
        return CHECK.unknown("there is no sshd, or no accounts can be read", "");
    };
    let mut ways = Vec::new();
    for account in
        administrators(local, caller().as_deref(), &local.members(GROUP)).into_iter().take(MAX_ADMINISTRATORS)
    {
        let connection = Connection::new(account.name.to_string(), ELSEWHERE);
        let Ok(options) = sshd.effective(Path::new(sshd::CONFIG), &connection) else {
            return CHECK.unknown(REFUSES, "sshd -t");
        };
        let way = way_in(account, &options, local, Path::new("/"));
        ways.extend(way.map(|way| format!("{} with {way}", account.name)));
    }
    let problem = ways.is_empty().then(|| none_left().as_warning());
    CHECK.merge(problem.into_iter().collect(), format!("without podspawn, these can log in: {}", ways.join(", ")))
}

/// The accounts that may administer the host and are not in `excluded`, with a shell to do it in.
#[must_use]
pub fn administrators<'a>(local: &'a LocalAccounts, caller: Option<&str>, excluded: &[UserName]) -> Vec<&'a Account> {
    let is_admin = |account: &Account| {
        account.uid == 0
            || caller == Some(account.name.as_ref())
            || local.groups_of(account).iter().any(|group| ADMIN_GROUPS.contains(&group.as_str()))
    };
    let has_shell = |account: &Account| {
        let shell = account.shell.file_name().and_then(OsStr::to_str).unwrap_or_default();
        !["nologin", "false", "sync"].contains(&shell)
    };
    let accounts = local.accounts.iter().filter(|account| !excluded.contains(&account.name));
    accounts.filter(|account| is_admin(account) && has_shell(account)).collect()
}

/// How `account`, for whom `options` are in force, gets in; `None` if it does not. `root` is where its files are.
#[must_use]
pub fn way_in(account: &Account, options: &Effective, local: &LocalAccounts, root: &Path) -> Option<String> {
    let name = account.name.as_ref();
    if pattern::excluded_by(options, name, &local.groups_of(account)).is_some() {
        return None;
    }
    let shadow = local.shadow(name).map_or(Password::None, |shadow| shadow.password);
    let is_locked = matches!(shadow, Password::Locked | Password::LockedHash) && !options.is_yes("usepam");
    let root_login = options.value("permitrootlogin");
    if is_locked || (account.uid == 0 && ["no", "forced-commands-only"].contains(&root_login)) {
        return None;
    }
    let key = options.is_yes("pubkeyauthentication").then(|| keys(account, options, root)).flatten();
    let by_password = (options.is_yes("passwordauthentication") || options.is_yes("kbdinteractiveauthentication"))
        && shadow == Password::Usable
        && (account.uid != 0 || root_login == "yes");
    let methods: Vec<&str> = options.words("authenticationmethods").filter(|method| *method != "any").collect();
    let available = |method: &str| match method.split(':').next() {
        Some("publickey") => key.is_some(),
        Some("password" | "keyboard-interactive") => by_password,
        _ => false,
    };
    if !methods.is_empty() && !methods.iter().any(|list| list.split(',').all(available)) {
        return None;
    }
    key.or_else(|| by_password.then(|| "a password".to_owned()))
}

/// The report of `server-setup` that no administrator could log in.
#[must_use]
pub fn none_left() -> Report {
    let problem = if has_key(Path::new(EMERGENCY_KEYS)) { &UNREAD } else { &NO_WAY };
    let seen = "no administrator could log in to this host over ssh if podspawn did not work";
    problem.report(CHECK.name, seen, &[])
}

/// The caller of sudo, who administers this host whatever its groups are.
#[must_use]
pub fn caller() -> Option<String> {
    std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty() && name != "root")
}

/// Where the account's keys come from.
fn keys(account: &Account, options: &Effective, root: &Path) -> Option<String> {
    let strict = options.value("strictmodes") != "no";
    for written in options.words("authorizedkeysfile").filter(|file| *file != "none") {
        let path = expand(written, account);
        let real = root.join(path.strip_prefix("/").unwrap_or(&path));
        // sshd reads no file that another user could write.
        let is_trusted = !strict || obstacle_below(&real, root, account.uid).is_none();
        if is_trusted && has_key(&real) {
            return Some(format!("keys in {}", path.display()));
        }
    }
    let command = options.named("authorizedkeyscommand").map(|command| format!("keys that {command} prints"));
    command.or_else(|| options.named("trustedusercakeys").map(|file| format!("certificates of {file}")))
}

/// As sshd's check of a key file: the part of its path that belongs to another user, up to the root of the file system.
fn obstacle_below(path: &Path, root: &Path, owner: u32) -> Option<String> {
    let real = path.canonicalize().ok()?;
    if root == Path::new("/") { obstacle(&real, owner, false) } else { None }
}

/// The tokens of `AuthorizedKeysFile`; a relative path begins at the home.
fn expand(written: &str, account: &Account) -> PathBuf {
    let home = account.home.to_string_lossy();
    let text = written
        .replace("%%", "\0")
        .replace("%h", &home)
        .replace("%u", account.name.as_ref())
        .replace("%U", &account.uid.to_string())
        .replace('\0', "%");
    account.home.join(text)
}

/// Whether a file has at least one key that OpenSSH could use.
#[must_use]
pub fn has_key(path: &Path) -> bool {
    let mut text = Vec::new();
    // Opening a fifo would wait forever.
    if !path.metadata().is_ok_and(|about| about.is_file())
        || File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text)).is_err()
    {
        return false;
    }
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_key = |pair: &[&str]| PublicKey::from_openssh(&pair.join(" ")).is_ok();
        // A certificate authority's key lets in the holders of its certificates, and there may be none.
        !line.to_ascii_lowercase().contains("cert-authority") && words.windows(2).any(is_key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";

    struct Machine {
        root: tempfile::TempDir,
        local: LocalAccounts,
    }

    fn host() -> Machine {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc", "root/.ssh", "home/ann/.ssh"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let passwd = "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/zsh\nbob:x:1001:1001::/home/bob:/bin/sh\n\
                      svc:x:900:27::/:/usr/sbin/nologin\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), "root:x:0:\nsudo:x:27:ann\n").unwrap();
        let shadow = "root:*:1::::::\nann:$y$j9T$aaaaaaaaaaaaaaaa:1::::::\nbob:!:1::::::\n";
        fs::write(root.path().join("etc/shadow"), shadow).unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        Machine { root, local }
    }

    impl Machine {
        fn way(&self, user: &str, more: &str) -> Option<String> {
            let text = format!(
                "{more}\npubkeyauthentication yes\npasswordauthentication no\nusepam yes\npermitrootlogin without-password\n\
                 authorizedkeysfile .ssh/authorized_keys /etc/podspawn/%u.keys\nauthorizedkeyscommand none"
            );
            way_in(self.local.account(user).unwrap(), &Effective::parse_for_test(&text), &self.local, self.root.path())
        }
    }

    #[test]
    fn administrators_are_root_members_of_sudos_groups_and_the_caller() {
        let Machine { local, .. } = &host();
        let names = |caller, excluded: &[&str]| -> Vec<String> {
            let excluded: Vec<UserName> = excluded.iter().map(|name| name.parse().unwrap()).collect();
            administrators(local, caller, &excluded).iter().map(|account| account.name.to_string()).collect()
        };
        assert_eq!(names(None, &[]), ["root", "ann"]);
        assert_eq!(names(Some("bob"), &["ann"]), ["root", "bob"]);
    }

    #[test]
    fn keys_that_sshd_reads_are_a_way_in() {
        let host = host();
        assert_eq!(host.way("root", ""), None);
        let file = host.root.path().join("root/.ssh/authorized_keys");
        fs::write(&file, format!("# {KEY}\nnonsense\ncert-authority {KEY}\n")).unwrap();
        assert_eq!(host.way("root", ""), None);
        fs::write(&file, format!("from=\"10.0.0.0/8\" {KEY} me\n")).unwrap();
        assert_eq!(host.way("root", "").as_deref(), Some("keys in /root/.ssh/authorized_keys"));
        for out in [
            "permitrootlogin no",
            "permitrootlogin forced-commands-only",
            "pubkeyauthentication no",
            "denyusers root",
            "allowgroups sudo",
            "authenticationmethods publickey,password",
        ] {
            assert_eq!(host.way("root", out), None, "{out}");
        }
        assert!(host.way("root", "authenticationmethods publickey").is_some());
        fs::remove_file(&file).unwrap();
        fs::create_dir(host.root.path().join("etc/podspawn")).unwrap();
        fs::write(host.root.path().join("etc/podspawn/root.keys"), KEY).unwrap();
        assert_eq!(host.way("root", "").as_deref(), Some("keys in /etc/podspawn/root.keys"));
    }

    #[test]
    fn a_password_and_another_tools_keys_are_ways_in() {
        let host = host();
        assert_eq!(host.way("ann", ""), None);
        assert_eq!(host.way("ann", "passwordauthentication yes").as_deref(), Some("a password"));
        assert_eq!(host.way("ann", "kbdinteractiveauthentication yes").as_deref(), Some("a password"));
        assert_eq!(host.way("bob", "passwordauthentication yes"), None);
        assert_eq!(host.way("root", "passwordauthentication yes"), None);
        let command = host.way("ann", "authorizedkeyscommand /usr/bin/sss_ssh_authorizedkeys");
        assert!(command.is_some_and(|way| way.contains("sss_ssh")));
        assert_eq!(host.way("bob", "usepam no\nauthorizedkeyscommand /x"), None);
    }
}
