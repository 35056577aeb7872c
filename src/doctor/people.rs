//! Accounts: that those of podspawn's are there, and that users get in, and no further than they should.

use super::{Finding, Host, Report, layout, sshd};
use crate::{
    accounts::{
        Account,
        local::{LocalAccounts, Password},
    },
    domain::UserName,
    sys::{
        clock::unix_days,
        program::{self, Identity},
    },
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

const CHECKS: [&str; 4] = ["accounts", "directories", "accounts-open", "engine-access"];
/// How long a shell may take.
const SHELL: Duration = Duration::from_secs(3);
/// Write permission of the group or of others.
const OTHERS_WRITE: u32 = 0o022;
/// Most names in a line.
const MAX_NAMES: usize = 5;
/// The engine's usual group, which is root in all but name.
const ENGINE_GROUP: &str = "docker";

/// `accounts`, `directories`, `accounts-open`, `engine-access`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return CHECKS.map(|check| Report::unknown(check, why, "sudo podspawn doctor")).into(),
    };
    let users = host.users();
    let missing = layout::differences(Path::new("/"), local);
    let socket = host.settings.config.engine.socket();
    let about = socket.metadata().ok().map(|about| (about.mode(), about.gid()));
    vec![
        accounts(&missing),
        directories(&missing),
        open(host, local, &users),
        engine_access(local, &users, about, &socket.display().to_string()),
    ]
}

fn accounts(missing: &[String]) -> Report {
    let missing = missing.iter().filter(|line| !line.starts_with("directory "));
    let remedy = "systemd-sysusers podspawn.conf && systemd-tmpfiles --create podspawn.conf";
    // Accounts are made by the activation of a generation.
    let make = |what| Finding::broken(format!("there is no {what}"), remedy).on_nixos("nixos-rebuild switch");
    let findings = missing.map(make).collect();
    Report::of(CHECKS[0], findings, "podspawn's groups and service accounts are there")
}

/// One that is missing, or that others can write to, is a fault; a host may have its reasons for another owner or mode.
fn directories(missing: &[String]) -> Report {
    let remedy = "systemd-tmpfiles --create podspawn.conf";
    let finding = |what: &str| {
        let about = what.split(',').next().and_then(|path| fs::metadata(path).ok());
        let is_fault = about.is_none_or(|about| !about.is_dir() || about.mode() & OTHERS_WRITE != 0);
        let make = if is_fault { Finding::broken } else { Finding::notable };
        make(format!("it should be {what}"), remedy).on_nixos("systemd-tmpfiles --create 10-podspawn.conf")
    };
    let wrong = missing.iter().filter_map(|line| line.strip_prefix("directory "));
    Report::of(CHECKS[1], wrong.map(finding).collect(), "podspawn's directories have the owners and modes they should")
}

fn open(host: &Host, local: &LocalAccounts, users: &[UserName]) -> Report {
    let options = match host.sshd_for_a_user() {
        Ok(options) => options,
        Err(why) => return Report::unknown(CHECKS[2], format!("sshd says: {why}"), "sshd -t"),
    };
    let is_locked = |name: &&UserName| {
        let shadow = local.shadow(name.as_ref());
        shadow.is_some_and(|shadow| matches!(shadow.password, Password::Locked | Password::LockedHash))
    };
    let pam = if options.is_yes("usepam") { "UsePAM yes" } else { "UsePAM no" };
    let locked = users.iter().filter(is_locked).count();
    let good = format!("sshd lets all {} users' accounts in ({pam}, {locked} locked)", users.len());
    Report::of(CHECKS[2], sshd::locked(options, users, local, unix_days()), good)
}

/// `socket` is the mode and group of the engine's socket.
fn engine_access(local: &LocalAccounts, users: &[UserName], socket: Option<(u32, u32)>, path: &str) -> Report {
    let by_socket = socket.and_then(|(_, gid)| local.groups.iter().find(|group| group.gid == gid));
    let by_socket = by_socket.map(|group| group.name.as_str()).filter(|name| *name != "root");
    let mut findings = Vec::new();
    for group in [Some(ENGINE_GROUP), by_socket.filter(|name| *name != ENGINE_GROUP)].into_iter().flatten() {
        let members = local.members(group);
        for user in users.iter().filter(|user| members.contains(user)) {
            findings.push(
                Finding::broken(
                    format!("{user} is in group {group}, which is root on this host"),
                    format!("gpasswd --delete {user} {group}"),
                )
                .on_nixos(format!(
                    "gpasswd --delete {user} {group} # and out of users.users.{user}.extraGroups, if it is there"
                )),
            );
        }
    }
    if socket.is_some_and(|(mode, _)| mode & 0o006 != 0) {
        findings.push(Finding::broken(
            format!("everybody may use the engine at {path}, and so be root on this host"),
            format!("chmod 0660 {path}"),
        ));
    }
    Report::of(CHECKS[3], findings, "no user reaches the engine but through the broker")
}

/// `account-shells`.
pub(super) fn shells(host: &Host) -> Vec<Report> {
    const CHECK: &str = "account-shells";
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return vec![Report::unknown(CHECK, why, "")],
    };
    let mut by_shell: BTreeMap<PathBuf, Vec<&Account>> = BTreeMap::new();
    let users = host.users();
    for account in users.iter().filter_map(|user| local.account(user.as_ref())) {
        by_shell.entry(account.shell.clone()).or_default().push(account);
    }
    let findings = by_shell.iter().filter_map(|(shell, accounts)| {
        let account = accounts.first()?;
        let why = cannot_run(shell, &identity(account, local))?;
        let names: Vec<&str> = accounts.iter().take(MAX_NAMES).map(|account| account.name.as_ref()).collect();
        let (name, names) = (account.name.to_string(), names.join(", "));
        let what = format!("the shell {} of {names} does not run podspawn's command: {why}", shell.display());
        // The next activation makes it what is declared.
        let declared = format!("usermod --shell /bin/sh {name} # and set users.users.{name}.shell = \"/bin/sh\"");
        Some(Finding::broken(what, format!("usermod --shell /bin/sh {name}")).on_nixos(declared))
    });
    let findings = findings.collect();
    vec![Report::of(CHECK, findings, format!("the shells of {} users run podspawn's command", users.len()))]
}

/// Who a process of the account is.
pub(super) fn identity(account: &Account, local: &LocalAccounts) -> Identity {
    let names = local.groups_of(account);
    let groups = local.groups.iter().filter(|group| names.contains(&group.name)).map(|group| group.gid).collect();
    Identity { uid: account.uid, gid: account.gid, groups }
}

/// Why the shell does not run commands as sshd would have it; tried, since no list of shells knows.
fn cannot_run(shell: &Path, identity: &Identity) -> Option<String> {
    match program::run_as(identity, shell, &["-c", "exit 42"], b"", SHELL) {
        Ok(done) if done.code == Some(42) => None,
        Ok(done) => Some(done.complaint()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use std::os::unix::fs::PermissionsExt as _;

    fn local() -> LocalAccounts {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "alice:x:1000:990::/var/empty:/bin/sh\nbob:x:1001:990::/var/empty:/bin/sh\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), "podspawn:x:990:\ndocker:x:991:bob\npods:x:992:alice\n").unwrap();
        LocalAccounts::read(root.path()).unwrap()
    }

    #[test]
    fn a_user_who_reaches_the_engine_is_named_by_the_group_that_the_socket_has() {
        let users: Vec<UserName> = ["alice", "bob"].iter().map(|name| name.parse().unwrap()).collect();
        let told = |socket, users: &[UserName]| engine_access(&local(), users, socket, "/run/engine.sock");
        assert_eq!(told(Some((0o140_660, 991)), &users[..1]).outcome, Outcome::Pass);
        let docker = told(None, &users);
        assert_eq!((docker.outcome, docker.remedy.as_str()), (Outcome::Fail, "gpasswd --delete bob docker"));
        let other = told(Some((0o140_660, 992)), &users[..1]);
        assert!(other.seen.starts_with("alice is in group pods"), "{other:?}");
        assert_eq!(told(Some((0o140_666, 0)), &[]).remedy, "chmod 0660 /run/engine.sock");
    }

    #[test]
    fn what_is_missing_is_an_account_or_a_directory() {
        let missing = ["group podspawn-admin", "directory /x, a:b with mode 0700"].map(str::to_owned);
        assert_eq!(accounts(&missing).seen, "there is no group podspawn-admin");
        assert_eq!(directories(&missing).seen, "it should be /x, a:b with mode 0700");
        assert_eq!((directories(&missing).outcome, directories(&missing[..1]).outcome), (Outcome::Fail, Outcome::Pass));
        let root = tempfile::tempdir().unwrap();
        let of = |mode| {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
            directories(&[format!("directory {}, a:b with mode 0750", root.path().display())]).outcome
        };
        assert_eq!((of(0o755), of(0o770)), (Outcome::Warn, Outcome::Fail));
    }

    #[test]
    fn a_shell_is_tried() {
        let me = Identity {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: Vec::new(),
        };
        if rustix::process::geteuid().is_root() {
            assert_eq!(cannot_run(Path::new("/bin/sh"), &me), None);
        }
        for other in ["/bin/false", "/nowhere"] {
            assert!(cannot_run(Path::new(other), &me).is_some(), "{other}");
        }
    }
}
