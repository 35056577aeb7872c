//! The account: made, opened, or converted. This module decides the steps from facts; `step` does them.

use super::step::Step;
use crate::{
    accounts::{
        Account, AccountError, Accounts,
        confinement::{Confinement, HOME},
        jobs,
        local::{LocalAccounts, Password},
        processes::{self, Named},
    },
    command::former::{Former, Formers},
    domain::UserName,
    sshd::block::GROUP,
};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// The first id of accounts that are no system's (`login.defs(5)`).
const FIRST_PERSON: u32 = 1000;
/// Accounts that are podspawn's own.
const OWN: [&str; 3] = ["podspawn", "podspawn-keys", "podspawn-backup"];
/// Most processes that are named.
const MAX_NAMES: usize = 5;

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
    /// Converted by `add-user --existing`, maybe not to the end.
    Converted,
    /// In group podspawn, and something else before.
    Joined,
    /// An ordinary account of this host.
    Ordinary,
}

/// Processes and jobs that the host runs for an account.
#[derive(Debug, Default)]
pub(in crate::command) struct Activity {
    /// Whether its user manager is started at boot.
    pub(in crate::command) lingers: bool,
    /// Files with jobs of cron and at.
    pub(in crate::command) jobs: Vec<PathBuf>,
    /// Processes outside of containers.
    pub(in crate::command) processes: Vec<Named>,
}

impl Activity {
    /// That of `account`.
    pub(in crate::command) fn of(account: Option<&Account>) -> anyhow::Result<Self> {
        let Some(account) = account else { return Ok(Self::default()) };
        let root = Path::new("/");
        Ok(Self {
            lingers: jobs::linger(root, account).is_some(),
            jobs: jobs::scheduled(root, account),
            processes: processes::named(account.uid)
                .with_context(|| format!("looking for processes of {}", account.name))?,
        })
    }
}

/// The standing of an account, and the steps that it needs.
#[derive(Debug)]
pub(in crate::command) struct Plan {
    pub(in crate::command) standing: Standing,
    pub(in crate::command) steps: Vec<Step>,
}

/// Finds an account in the files, or else in the other sources of the host.
pub(in crate::command) fn find(
    user: &UserName,
    local: &LocalAccounts,
    accounts: &Accounts,
    formers: &Formers,
) -> anyhow::Result<(Standing, Option<Account>)> {
    let account = match local.account(user.as_ref()) {
        Some(account) => account.clone(),
        None => match accounts.by_name(user) {
            Ok(account) => account,
            Err(AccountError::Unknown) => return Ok((Standing::Absent, None)),
            Err(error) => return Err(error).with_context(|| format!("looking for account {user}")),
        },
    };
    let standing = if formers.of(&account)?.is_some() {
        Standing::Converted
    } else if is_ours(&account, local) {
        Standing::Ours
    } else if is_member(&account, local) {
        Standing::Joined
    } else {
        Standing::Ordinary
    };
    Ok((standing, Some(account)))
}

/// Whether the account is in podspawn's group.
fn is_member(account: &Account, local: &LocalAccounts) -> bool {
    local.groups_of(account).iter().any(|group| group == GROUP)
}

/// The steps after which `user` may log in with keys; `existing` allows an ordinary account.
pub(in crate::command) fn plan(
    user: &UserName,
    found: &(Standing, Option<Account>),
    local: &LocalAccounts,
    activity: &Activity,
    existing: bool,
) -> anyhow::Result<Plan> {
    anyhow::ensure!(local.group(GROUP).is_some(), "there is no group {GROUP}: run podspawn server-setup first");
    anyhow::ensure!(!OWN.contains(&user.as_ref()), "{user} is an account of podspawn's own; choose another name");
    let (standing, account) = found;
    let Some(account) = account else { return Ok(Plan { standing: Standing::Absent, steps: vec![Step::Make] }) };
    anyhow::ensure!(account.uid != 0, "{user} is root, whose shell administers this host");
    let password = local.shadow(user.as_ref()).map(|shadow| shadow.password);
    let steps = if *standing == Standing::Ours {
        let mut steps = Vec::new();
        if activity.lingers {
            steps.push(Step::EndManager);
        }
        if !matches!(password, None | Some(Password::None)) {
            steps.push(Step::NoPassword);
        }
        if !Confinement::of(account).is_confined() {
            steps.push(Step::Shell);
        }
        steps
    } else {
        conversion(standing, account, local, activity, existing)?
    };
    Ok(Plan { standing: standing.clone(), steps })
}

/// The steps that make an account of the host podspawn's; none if it is already.
fn conversion(
    standing: &Standing,
    account: &Account,
    local: &LocalAccounts,
    activity: &Activity,
    existing: bool,
) -> anyhow::Result<Vec<Step>> {
    let user = &account.name;
    let password = local.shadow(user.as_ref()).map(|shadow| shadow.password);
    let confinement = Confinement::of(account);
    let is_member = is_member(account, local);
    anyhow::ensure!(
        password != Some(Password::LockedHash),
        "{user} was locked by an administrator: usermod --unlock {user} opens it"
    );
    let password_step = match password {
        Some(Password::Usable) => Some(Step::SetPasswordAside),
        Some(Password::Locked | Password::Empty) => Some(Step::NoPassword),
        _ => None,
    };
    if is_member && confinement.is_confined() && !activity.lingers {
        return Ok(password_step.into_iter().collect());
    }
    if *standing != Standing::Converted {
        ensure_convertible(account, *standing == Standing::Joined, existing)?;
    }
    anyhow::ensure!(
        local.account(user.as_ref()).is_some() || confinement.is_confined(),
        "{user} {confinement}, and its account is not in /etc/passwd: change it where it is \
         (sssd.conf: override_homedir, override_shell)"
    );
    ensure_idle(user, activity)?;
    let mut steps = vec![Step::Record(Former {
        uid: account.uid,
        home: account.home.clone(),
        shell: account.shell.clone(),
        was_member: is_member,
        lingered: activity.lingers,
        had_no_password: password == Some(Password::Locked),
    })];
    if activity.lingers || !activity.processes.is_empty() {
        steps.push(Step::EndManager);
    }
    steps.extend(password_step);
    if !confinement.is_confined() {
        steps.push(Step::Confine { was: account.home.clone() });
    }
    if !is_member {
        steps.push(Step::Join);
    }
    Ok(steps)
}

/// Refuses a system account, one that the administrator did not mean, and one that is closed.
fn ensure_convertible(account: &Account, is_member: bool, existing: bool) -> anyhow::Result<()> {
    let user = &account.name;
    anyhow::ensure!(
        account.uid >= FIRST_PERSON,
        "{user} is a system account (uid {}); choose another name",
        account.uid
    );
    let standing = if is_member {
        "was added to the group by an administrator, and is an account"
    } else {
        "is an ordinary account"
    };
    anyhow::ensure!(
        existing,
        "{user} {standing} of this host, and would have a container in place of its shell and \
         home: say --existing if that is meant"
    );
    let shell = account.shell.file_name().unwrap_or_default();
    anyhow::ensure!(
        shell != "nologin" && shell != "false",
        "{user} is closed: its shell is {}; usermod --shell /bin/sh {user} opens it",
        account.shell.display()
    );
    Ok(())
}

/// Refuses an account with jobs or processes on this host.
fn ensure_idle(user: &UserName, activity: &Activity) -> anyhow::Result<()> {
    let files: Vec<String> = activity.jobs.iter().map(|path| path.display().to_string()).collect();
    anyhow::ensure!(
        files.is_empty(),
        "{user} has jobs that run on this host: {}; remove them first (crontab -u {user} -r, atrm)",
        files.join(", ")
    );
    let others: Vec<String> =
        activity.processes.iter().filter(|one| !one.is_manager()).take(MAX_NAMES).map(ToString::to_string).collect();
    anyhow::ensure!(
        others.is_empty(),
        "{user} has processes on this host: {}; end them first (loginctl terminate-user {user})",
        others.join(", ")
    );
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
                      fresh:x:1007:1007::/home/f:/bin/bash\n\
                      confined:x:1008:1008::/var/empty:/bin/sh\n";
        let shadow = "ours:*:1::::::\nlocked:!*:1::::::\nopen:$y$j9T$aaaaaaaaaaaaaaa:1::::::\nbob:$y$j9T$aaaaaaaaaaaaaaa:1::::::\n\
                      joined:*:1::::::\nbanned:!$y$j9T$aaaaaaaaaaaaaaa:1::::::\nfresh:!:1::::::\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), format!("root:x:0:\n{group}")).unwrap();
        fs::write(root.path().join("etc/shadow"), shadow).unwrap();
        LocalAccounts::read(root.path()).unwrap()
    }

    fn planned(user: &str, existing: bool) -> Result<(Standing, Vec<Step>), String> {
        planned_with(user, existing, &Activity::default())
    }

    fn planned_with(user: &str, existing: bool, activity: &Activity) -> Result<(Standing, Vec<Step>), String> {
        let local = local("podspawn:x:990:joined,confined\nwww:x:33:\n");
        let user: UserName = user.parse().unwrap();
        // No other source: this tree has no getent.
        let nowhere = tempfile::tempdir().unwrap();
        let found = find(&user, &local, &Accounts::under(nowhere.path()), &Formers::under(nowhere.path())).unwrap();
        plan(&user, &found, &local, activity, existing)
            .map(|plan| (plan.standing, plan.steps))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_account_is_made_opened_or_left_as_it_is() {
        for (user, standing, steps) in [
            ("new", Standing::Absent, vec![Step::Make]),
            ("ours", Standing::Ours, vec![]),
            ("locked", Standing::Ours, vec![Step::NoPassword]),
            ("open", Standing::Ours, vec![Step::NoPassword, Step::Shell]),
            ("confined", Standing::Joined, vec![]),
        ] {
            assert_eq!(planned(user, false), Ok((standing, steps)), "{user}");
        }
    }

    fn former(uid: u32, home: &str) -> Former {
        Former {
            uid,
            home: home.into(),
            shell: "/bin/bash".into(),
            was_member: false,
            lingered: false,
            had_no_password: false,
        }
    }

    #[test]
    fn an_ordinary_account_is_converted_only_if_that_is_said() {
        for user in ["bob", "joined"] {
            assert!(planned(user, false).unwrap_err().contains("--existing"), "{user}");
        }
        let confine = |was: &str| Step::Confine { was: was.into() };
        let steps =
            vec![Step::Record(former(1003, "/home/bob")), Step::SetPasswordAside, confine("/home/bob"), Step::Join];
        assert_eq!(planned("bob", true), Ok((Standing::Ordinary, steps)));
        let record = Step::Record(Former { had_no_password: true, ..former(1007, "/home/f") });
        let steps = vec![record, Step::NoPassword, confine("/home/f"), Step::Join];
        assert_eq!(planned("fresh", true), Ok((Standing::Ordinary, steps)));
        let record = Step::Record(Former { was_member: true, ..former(1004, "/home/joined") });
        assert_eq!(planned("joined", true), Ok((Standing::Joined, vec![record, confine("/home/joined")])));
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
    fn an_account_with_work_on_this_host_is_refused_and_the_work_is_named() {
        let process = |name: &str| Named { pid: 7, name: name.to_owned() };
        let with = |jobs: &[&str], processes: &[&str]| Activity {
            lingers: true,
            jobs: jobs.iter().map(PathBuf::from).collect(),
            processes: processes.iter().map(|name| process(name)).collect(),
        };
        let refused = |activity: &Activity| planned_with("bob", true, activity).unwrap_err();
        assert!(refused(&with(&["/var/spool/cron/crontabs/bob"], &[])).contains("crontabs/bob"));
        assert!(refused(&with(&[], &["systemd", "tmux: server"])).contains("tmux: server (7); end them first"));
        // A user manager alone is ended, and what lingers does so again when the account is given back.
        let (_, steps) = planned_with("bob", true, &with(&[], &["systemd", "(sd-pam)"])).unwrap();
        assert!(steps.contains(&Step::EndManager), "{steps:?}");
        assert!(matches!(&steps[0], Step::Record(former) if former.lingered), "{steps:?}");
        assert_eq!(planned_with("ours", false, &with(&[], &[])).unwrap().1, [Step::EndManager]);
    }

    #[test]
    fn without_the_group_server_setup_comes_first() {
        let user: UserName = "new".parse().unwrap();
        let error = plan(&user, &(Standing::Absent, None), &local(""), &Activity::default(), false).unwrap_err();
        assert!(error.to_string().contains("server-setup"), "{error}");
    }
}
