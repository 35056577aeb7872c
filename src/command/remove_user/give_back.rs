//! Restores an account of the host that was converted.

use crate::{
    accounts::{
        Account,
        confinement::{Confinement, HOME, SHELL},
        local::{LocalAccounts, password_field},
    },
    command::{
        add_user::step::{ASIDE, set_password, tool},
        former::{Former, Formers},
    },
    sshd::block::GROUP,
};
use std::path::Path;

/// One thing that is given back.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Leave,
    Home(&'a Path),
    Shell(&'a Path),
    Password(String),
    Linger,
}

/// The steps; values that an administrator has changed since are left as they are.
fn steps<'a>(account: &Account, former: &'a Former, is_member: bool, password: Option<&str>) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    // First, so that a shell of its own comes only to an account that is no longer podspawn's.
    if is_member && !former.was_member {
        steps.push(Step::Leave);
    }
    let is_our_shell =
        !matches!(Confinement::of(&Account { home: HOME.into(), ..account.clone() }), Confinement::Shell(_));
    if account.home == Path::new(HOME) && former.home != Path::new(HOME) {
        steps.push(Step::Home(&former.home));
    }
    if is_our_shell && former.shell != account.shell && former.shell != Path::new(SHELL) {
        steps.push(Step::Shell(&former.shell));
    }
    match password.and_then(|field| field.strip_prefix(ASIDE)) {
        // Nothing behind it: there was no hash, so the account was open without a password, or locked.
        Some("") if former.had_no_password => steps.push(Step::Password("!".to_owned())),
        Some(hash) if hash.starts_with('$') || hash.len() >= 13 => steps.push(Step::Password(hash.to_owned())),
        _ => {}
    }
    if former.lingered {
        steps.push(Step::Linger);
    }
    steps
}

/// Restores `account`; returns a line for each step. Can be repeated after any interruption.
pub(super) fn run(account: &Account, former: &Former, local: &LocalAccounts) -> anyhow::Result<Vec<String>> {
    let user = &account.name;
    let name = user.as_ref();
    let is_member = local.groups_of(account).iter().any(|group| group == GROUP);
    let password = password_field(Path::new("/"), name)?;
    let mut done = Vec::new();
    for step in steps(account, former, is_member, password.as_deref()) {
        done.push(match step {
            Step::Leave => {
                tool("gpasswd", &["--delete", name, GROUP])?;
                format!("took {user} out of group {GROUP}")
            }
            Step::Home(home) => {
                tool("usermod", &["--home", &home.to_string_lossy(), "--", name])?;
                format!("gave {user} its home {} back", home.display())
            }
            Step::Shell(shell) => {
                tool("usermod", &["--shell", &shell.to_string_lossy(), "--", name])?;
                format!("gave {user} its shell {} back", shell.display())
            }
            Step::Password(field) => {
                set_password(user, &field)?;
                format!("gave {user} its password field back")
            }
            Step::Linger => {
                tool("loginctl", &["enable-linger", name])?;
                format!("{user} lingers again")
            }
        });
    }
    Formers::new().forget(user)?;
    done.push(format!("{user} is an account of this host again, as it was before podspawn add-user"));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(home: &str, shell: &str) -> Account {
        Account { name: "bob".parse().unwrap(), uid: 1003, gid: 1003, home: home.into(), shell: shell.into() }
    }

    fn former() -> Former {
        Former {
            uid: 1003,
            home: "/home/bob".into(),
            shell: "/bin/zsh".into(),
            was_member: false,
            lingered: false,
            had_no_password: false,
        }
    }

    #[test]
    fn all_of_it_is_restored_once() {
        let former = former();
        let (home, shell) = (Step::Home(Path::new("/home/bob")), Step::Shell(Path::new("/bin/zsh")));
        let hash = "$y$j9T$aaaaaaaaaaa";
        let aside = format!("*{hash}");
        let all = steps(&account(HOME, SHELL), &former, true, Some(&aside));
        assert_eq!(all, [Step::Leave, home, shell, Step::Password(hash.into())]);
        assert_eq!(steps(&account("/home/bob", "/bin/zsh"), &former, false, Some(hash)), []);
        assert_eq!(steps(&account(HOME, "/bin/zsh"), &former, false, Some("*")), [Step::Home(Path::new("/home/bob"))]);
    }

    #[test]
    fn changes_of_an_administrator_stay() {
        let former = Former { was_member: true, had_no_password: true, lingered: true, ..former() };
        let changed = account("/srv/bob", "/bin/fish");
        assert_eq!(steps(&changed, &former, true, Some("$y$j9T$new")), [Step::Linger]);
        assert_eq!(steps(&changed, &former, true, Some("*")), [Step::Password("!".into()), Step::Linger]);
        // An old hash without a method's dollar.
        assert_eq!(steps(&changed, &former, true, Some("*aaaaaaaaaaaaa"))[0], Step::Password("aaaaaaaaaaaaa".into()));
    }
}
