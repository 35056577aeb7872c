//! `account-shells`: users' login shells run a command, as sshd needs it. Each shell is tried.

use super::{Check, Group, Host, Problem, Report, host::keys::identity};
use crate::{
    accounts::Account,
    sys::program::{self, Identity},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "account-shells",
    group: Group::Accounts,
    passes_if: "users' login shells run a command, as sshd needs it; each is tried",
    problems: &[UNUSABLE],
    needs_root: true,
    run,
};
/// On NixOS, the next activation makes the shell what is declared.
const UNUSABLE: Problem =
    Problem::fail("the shell of a user does not run podspawn's command", "`usermod --shell /bin/sh {user}`")
        .on_nixos("`usermod --shell /bin/sh {user}` # and set users.users.{user}.shell = \"/bin/sh\"");

/// How long a shell may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// Most names in a line.
const MAX_NAMES: usize = 5;

fn run(host: &Host) -> Report {
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return CHECK.unknown(why, ""),
    };
    let mut by_shell: BTreeMap<PathBuf, Vec<&Account>> = BTreeMap::new();
    let users = host.users();
    for account in users.iter().filter_map(|user| local.account(user.as_ref())) {
        by_shell.entry(account.shell.clone()).or_default().push(account);
    }
    let problems = by_shell.iter().filter_map(|(shell, accounts)| {
        let account = accounts.first()?;
        let why = cannot_run(shell, &identity(account, local))?;
        let names: Vec<&str> = accounts.iter().take(MAX_NAMES).map(|account| account.name.as_ref()).collect();
        let (shell, names) = (shell.display(), names.join(", "));
        let seen = format!("the shell {shell} of {names} does not run podspawn's command: {why}");
        Some(CHECK.report(&UNUSABLE, seen, &[("user", &account.name)]))
    });
    CHECK.merge(problems.collect(), format!("the shells of {} users run podspawn's command", users.len()))
}

/// Why the shell does not run commands as sshd has it do; no list of shells knows, so it is tried.
fn cannot_run(shell: &Path, identity: &Identity) -> Option<String> {
    match program::run_as(identity, shell, &["-c", "exit 42"], b"", DEADLINE) {
        Ok(done) if done.code == Some(42) => None,
        Ok(done) => Some(done.complaint()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
