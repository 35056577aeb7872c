//! The account: made, opened, or taken over, with the host's own tools.

use crate::{
    accounts::{
        Account, AccountError, Accounts,
        local::{LocalAccounts, Password},
    },
    domain::UserName,
    sshd::block::GROUP,
    sys::program,
};
use anyhow::Context as _;
use std::{path::Path, time::Duration};

/// The home of accounts that podspawn made: nothing of theirs is on the host, and nothing can be put there.
pub(in crate::command) const HOME: &str = "/var/empty";
/// Their shell: sshd runs the forced command with it, and it never gets a command of the user's.
const SHELL: &str = "/bin/sh";
/// The first id of people (`login.defs(5)`).
const FIRST_PERSON: u32 = 1000;
/// Accounts that are podspawn's own.
const OWN: [&str; 3] = ["podspawn", "podspawn-keys", "podspawn-backup"];
/// How long a tool may take; a directory server may be asked.
const DEADLINE: Duration = Duration::from_secs(60);

/// Whether podspawn made the account: its first group is podspawn's, and it has no home here.
pub(in crate::command) fn is_ours(account: &Account, local: &LocalAccounts) -> bool {
    local.group(GROUP).is_some_and(|group| group.gid == account.gid) && account.home == Path::new(HOME)
}

/// Where an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum Standing {
    /// There is none.
    Absent,
    /// In group podspawn, and made for it.
    Ours,
    /// In group podspawn, and something else before.
    Joined,
    /// An ordinary account of this host.
    Ordinary,
}

/// One thing that has to be done about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum Step {
    Make,
    /// Another name for opening it: a password that no password fits.
    NoPassword,
    Shell,
    Join,
}

/// What is known of an account, and what it has to become.
#[derive(Debug)]
pub(in crate::command) struct Plan {
    pub(in crate::command) standing: Standing,
    pub(in crate::command) steps: Vec<Step>,
}

/// Finds an account in the files, and where they do not have it in what the host asks otherwise.
pub(in crate::command) fn find(
    user: &UserName,
    local: &LocalAccounts,
    accounts: &Accounts,
) -> anyhow::Result<(Standing, Option<Account>)> {
    let account = match local.account(user.as_ref()) {
        Some(account) => account.clone(),
        None => match accounts.by_name(user) {
            Ok(account) => account,
            Err(AccountError::Unknown) => return Ok((Standing::Absent, None)),
            Err(error) => return Err(error).with_context(|| format!("looking for account {user}")),
        },
    };
    let standing = if is_ours(&account, local) {
        Standing::Ours
    } else if local.groups_of(&account).iter().any(|group| group == GROUP) {
        Standing::Joined
    } else {
        Standing::Ordinary
    };
    Ok((standing, Some(account)))
}

/// What has to be done so that `user` may log in with keys; `existing` says that an ordinary account is meant.
pub(in crate::command) fn plan(
    user: &UserName,
    found: &(Standing, Option<Account>),
    local: &LocalAccounts,
    existing: bool,
) -> anyhow::Result<Plan> {
    anyhow::ensure!(local.group(GROUP).is_some(), "there is no group {GROUP}: run podspawn server-setup first");
    anyhow::ensure!(!OWN.contains(&user.as_ref()), "{user} is an account of podspawn's own; choose another name");
    let (standing, account) = found;
    let Some(account) = account else { return Ok(Plan { standing: Standing::Absent, steps: vec![Step::Make] }) };
    anyhow::ensure!(account.uid != 0, "{user} is root: whoever administers this host needs its shell");
    let mut steps = Vec::new();
    let password = local.shadow(user.as_ref()).map(|shadow| shadow.password);
    match standing {
        Standing::Ordinary => {
            anyhow::ensure!(
                account.uid >= FIRST_PERSON,
                "{user} is a system account (uid {}); choose another name",
                account.uid
            );
            anyhow::ensure!(
                existing,
                "{user} is an ordinary account of this host, and would have a container in place of its shell: \
                 say --existing if that is meant"
            );
            steps.push(Step::Join);
        }
        Standing::Ours if !matches!(password, None | Some(Password::None)) => steps.push(Step::NoPassword),
        _ => {}
    }
    if *standing != Standing::Ours {
        anyhow::ensure!(
            password != Some(Password::LockedHash),
            "{user} was locked by an administrator: usermod --unlock {user} opens it"
        );
        if password == Some(Password::Locked) {
            steps.push(Step::NoPassword);
        }
    }
    let shell = account.shell.file_name().unwrap_or_default();
    if shell == "nologin" || shell == "false" {
        anyhow::ensure!(
            *standing == Standing::Ours,
            "{user}'s shell is {}, which runs no forced command: usermod --shell {SHELL} {user}",
            account.shell.display()
        );
        steps.push(Step::Shell);
    }
    Ok(Plan { standing: standing.clone(), steps })
}

impl Step {
    /// Does it; returns what was done.
    pub(in crate::command) fn run(&self, user: &UserName) -> anyhow::Result<String> {
        let user = user.as_ref();
        Ok(match self {
            Self::Make => {
                tool(
                    "useradd",
                    &[
                        "--no-log-init",
                        "--no-create-home",
                        "--home-dir",
                        HOME,
                        "--shell",
                        SHELL,
                        "--password",
                        "*",
                        "--no-user-group",
                        "--gid",
                        GROUP,
                        "--comment",
                        "podspawn user",
                        "--",
                        user,
                    ],
                )?;
                format!("made account {user}")
            }
            Self::NoPassword => {
                tool("usermod", &["--password", "*", "--", user])?;
                format!("opened account {user}: keys alone let in, and no password does")
            }
            Self::Shell => {
                tool("usermod", &["--shell", SHELL, "--", user])?;
                format!("gave {user} the shell {SHELL}, which runs podspawn's command")
            }
            Self::Join => {
                tool("usermod", &["--append", "--groups", GROUP, "--", user])?;
                format!("put {user} into group {GROUP}: it gets a container in place of this host's shell")
            }
        })
    }
}

/// Runs a tool of the shadow suite.
pub(in crate::command) fn tool(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let program = program::find(name).with_context(|| {
        format!("there is no {name} on this host; install the shadow tools (Debian: passwd, Alpine: shadow)")
    })?;
    let done = program::run(&program, arguments, b"", DEADLINE).with_context(|| format!("running {name}"))?;
    anyhow::ensure!(done.succeeded(), "{name}: {}", done.complaint());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn local(group: &str) -> LocalAccounts {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "root:x:0:0::/root:/bin/bash\npodspawn:x:990:990::/var/lib/podspawn:/usr/sbin/nologin\n\
                      ours:x:1000:990::/var/empty:/bin/sh\nlocked:x:1001:990::/var/empty:/bin/sh\n\
                      open:x:1002:990::/var/empty:/usr/sbin/nologin\nbob:x:1003:1003::/home/bob:/bin/bash\n\
                      joined:x:1004:1004::/home/joined:/bin/bash\nbanned:x:1005:1005::/home/b:/bin/bash\n\
                      www:x:33:33::/srv:/usr/sbin/nologin\nmail:x:1006:1006::/home/m:/usr/sbin/nologin\n\
                      fresh:x:1007:1007::/home/f:/bin/bash\n";
        let shadow = "ours:*:1::::::\nlocked:!*:1::::::\nopen:$y$j9T$aaaaaaaaaaaaaaa:1::::::\nbob:$y$j9T$aaaaaaaaaaaaaaa:1::::::\n\
                      joined:*:1::::::\nbanned:!$y$j9T$aaaaaaaaaaaaaaa:1::::::\nfresh:!:1::::::\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), format!("root:x:0:\n{group}")).unwrap();
        fs::write(root.path().join("etc/shadow"), shadow).unwrap();
        LocalAccounts::read(root.path()).unwrap()
    }

    fn planned(user: &str, existing: bool) -> Result<(Standing, Vec<Step>), String> {
        let local = local("podspawn:x:990:joined\nwww:x:33:\n");
        let user: UserName = user.parse().unwrap();
        // No other source: this tree has no getent.
        let nowhere = tempfile::tempdir().unwrap();
        let found = find(&user, &local, &Accounts::under(nowhere.path())).unwrap();
        plan(&user, &found, &local, existing).map(|plan| (plan.standing, plan.steps)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_account_is_made_opened_or_left_as_it_is() {
        for (user, standing, steps) in [
            ("new", Standing::Absent, vec![Step::Make]),
            ("ours", Standing::Ours, vec![]),
            ("locked", Standing::Ours, vec![Step::NoPassword]),
            ("open", Standing::Ours, vec![Step::NoPassword, Step::Shell]),
            ("joined", Standing::Joined, vec![]),
        ] {
            assert_eq!(planned(user, false), Ok((standing, steps)), "{user}");
        }
    }

    #[test]
    fn an_ordinary_account_is_taken_only_if_that_is_said() {
        assert!(planned("bob", false).unwrap_err().contains("--existing"));
        assert_eq!(planned("bob", true), Ok((Standing::Ordinary, vec![Step::Join])));
        assert_eq!(planned("fresh", true), Ok((Standing::Ordinary, vec![Step::Join, Step::NoPassword])));
        for (user, why) in [
            ("root", "is root"),
            ("podspawn", "podspawn's own"),
            ("www", "system account"),
            ("banned", "locked by an administrator"),
            ("mail", "usermod --shell"),
        ] {
            assert!(planned(user, true).unwrap_err().contains(why), "{user}");
        }
    }

    #[test]
    fn without_the_group_server_setup_comes_first() {
        let user: UserName = "new".parse().unwrap();
        let error = plan(&user, &(Standing::Absent, None), &local(""), false).unwrap_err();
        assert!(error.to_string().contains("server-setup"), "{error}");
    }
}
