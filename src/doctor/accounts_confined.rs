//! `accounts-confined`: nothing of a user runs on this host but sshd's forced command.

use super::{Check, Group, Host, Problem, Report};
use crate::{
    accounts::{
        Account,
        confinement::{Confinement, SHELL},
        jobs,
        local::{LocalAccounts, Password},
        processes::{self, Named},
    },
    domain::UserName,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    thread,
    time::Duration,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "accounts-confined",
    group: Group::Accounts,
    passes_if: "nothing of a user can run on the host but podspawn's command: shell, home, password, user manager, jobs",
    problems: &[SHELL_OF_ANOTHER, HOME, ROOT, PASSWORD, LINGERS, CRONTAB, JOB, PROCESS, MANAGER, NO_DROP_IN],
    needs_root: true,
    run,
};
const SHELL_OF_ANOTHER: Problem =
    Problem::fail("a user has another login shell", "`usermod --shell {shell} {user}`").on_nixos(DECLARED);
const HOME: Problem = Problem::fail("a user has a home directory on the host", "`podspawn add-user {user} --existing`")
    .on_nixos(DECLARED);
const ROOT: Problem =
    Problem::fail("a member of group podspawn is root", "`gpasswd --delete {user} podspawn`").on_nixos(DECLARED);
const DECLARED: &str = "let services.podspawn alone set users.users.{user}.home and .shell, and rebuild";
const PASSWORD: Problem = Problem::fail("a user has a password", "`usermod --password '*' {user}`")
    .on_nixos("`usermod --password '*' {user}` # and no password option of users.users.{user}");
const LINGERS: Problem =
    Problem::fail("systemd starts a manager of a user at boot", "`loginctl disable-linger {user}`");
const CRONTAB: Problem = Problem::fail("a user has a crontab", "`crontab -u {user} -r`");
const JOB: Problem = Problem::fail("a job of a user is scheduled", "`rm {job}`");
const PROCESS: Problem = Problem::fail("a process of a user runs on the host", "`kill {pid}`");
/// One that was started before the drop-in existed runs until the last connection of that time ends.
const MANAGER: Problem = Problem::warn("a user manager runs", "`systemctl stop user@{uid}.service`");
const NO_DROP_IN: Problem = Problem::warn(
    "systemd starts user managers at logins, since podspawn's drop-in is missing",
    "install systemd/user@.service.d/podspawn.conf of podspawn's package or sources, and `systemctl daemon-reload`",
)
.on_nixos("`nixos-rebuild switch`");

/// Where systemd looks for drop-ins of a unit.
const UNITS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// The drop-in that keeps systemd from starting managers of podspawn's users.
const DROP_IN: &str = "user@.service.d/podspawn.conf";
/// A login's shell becomes `podspawn spawn` within this time.
const MOMENT: Duration = Duration::from_millis(300);
/// Most problems of users; a host with a thousand has one cause.
const MAX_PROBLEMS: usize = 20;

fn run(host: &Host) -> Report {
    let root = Path::new("/");
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return CHECK.unknown(why, "sudo podspawn doctor"),
    };
    let users = host.users();
    let accounts: Vec<&Account> = users.iter().filter_map(|user| local.account(user.as_ref())).collect();
    let running = match running(&accounts) {
        Ok(running) => running,
        Err(error) => return CHECK.unknown(format!("/proc cannot be read: {error}"), ""),
    };
    let mut problems: Vec<Report> = manager(root).into_iter().collect();
    for account in accounts {
        problems.extend(of(account, local, root));
        problems.extend(running.get(&account.uid).into_iter().flatten().map(|process| runs(account, process)));
        if problems.len() > MAX_PROBLEMS {
            problems.truncate(MAX_PROBLEMS);
            break;
        }
    }
    let good = format!("nothing of {} users can run on this host but podspawn's command", users.len());
    CHECK.merge(problems, good)
}

fn manager(root: &Path) -> Option<Report> {
    let is_there = UNITS.iter().any(|directory| root.join(directory).join(DROP_IN).exists());
    let seen = format!("systemd starts a user manager at users' logins: there is no {DROP_IN}");
    (!is_there).then(|| CHECK.report(&NO_DROP_IN, seen, &[]))
}

/// The problems of an account that its files show.
fn of(account: &Account, local: &LocalAccounts, root: &Path) -> Vec<Report> {
    let user = &account.name;
    let mut problems = Vec::new();
    let confinement = Confinement::of(account);
    let problem = match confinement {
        Confinement::Confined => None,
        Confinement::Shell(_) => Some(&SHELL_OF_ANOTHER),
        Confinement::Home(_) => Some(&HOME),
        Confinement::Root => Some(&ROOT),
    };
    if let Some(problem) = problem {
        let seen = format!("{user} {confinement}, and gets no keys for that");
        problems.push(CHECK.report(problem, seen, &[("user", user), ("shell", &SHELL)]));
    }
    let password = local.shadow(user.as_ref()).map(|shadow| shadow.password);
    if matches!(password, Some(Password::Usable | Password::Empty)) {
        let seen = format!("{user} has a password, which opens a shell on this host's console");
        problems.push(CHECK.report(&PASSWORD, seen, &[("user", user)]));
    }
    if jobs::linger(root, account).is_some() {
        let seen = format!("{user} lingers: systemd would start a user manager of its own at boot");
        problems.push(CHECK.report(&LINGERS, seen, &[("user", user)]));
    }
    problems.extend(jobs::scheduled(root, account).iter().map(|job| scheduled(user, job)));
    problems
}

fn scheduled(user: &UserName, job: &Path) -> Report {
    let is_crontab = job.file_name().is_some_and(|name| name == user.as_ref());
    let job = job.display();
    let problem = if is_crontab { &CRONTAB } else { &JOB };
    CHECK.report(problem, format!("{job} runs on this host as {user}"), &[("user", user), ("job", &job)])
}

fn runs(account: &Account, process: &Named) -> Report {
    let problem = if process.is_manager() { &MANAGER } else { &PROCESS };
    let seen = format!("{process} runs on this host as {}", account.name);
    CHECK.report(problem, seen, &[("uid", &account.uid), ("pid", &process.pid)])
}

/// Processes that serve no connection, by their owner; looked at twice, since a login is a shell first.
fn running(accounts: &[&Account]) -> io::Result<BTreeMap<u32, Vec<Named>>> {
    let uids: BTreeSet<u32> = accounts.iter().map(|account| account.uid).collect();
    let look = || -> io::Result<Vec<(u32, Named)>> {
        let mut found = processes::of_any(&uids)?;
        // sd-pam belongs to its manager.
        found.retain(|(_, process)| !process.serves() && process.name != "(sd-pam)");
        Ok(found)
    };
    let mut first = look()?;
    if !first.is_empty() {
        thread::sleep(MOMENT);
        let second = look()?;
        first.retain(|one| second.contains(one));
    }
    let mut by_owner: BTreeMap<u32, Vec<Named>> = BTreeMap::new();
    for (owner, process) in first {
        by_owner.entry(owner).or_default().push(process);
    }
    Ok(by_owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn local() -> (tempfile::TempDir, LocalAccounts) {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc", "var/lib/systemd/linger", "var/spool/cron/crontabs"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let passwd = "alice:x:1000:990::/var/empty:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/bash\n\
                      carol:x:1002:990::/var/empty:/bin/bash\ndave:x:1003:990::/var/empty:/bin/sh\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), "podspawn:x:990:bob\n").unwrap();
        fs::write(root.path().join("etc/shadow"), "alice:*:1::::::\ndave:$y$j9T$aaaaaaaaaaaaaaa:1::::::\n").unwrap();
        fs::write(root.path().join("var/lib/systemd/linger/dave"), "").unwrap();
        fs::write(root.path().join("var/spool/cron/crontabs/dave"), "").unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        (root, local)
    }

    #[test]
    fn everything_that_could_run_as_a_user_is_named_with_its_remedy() {
        let (root, local) = local();
        let remedies = |user: &str| -> Vec<String> {
            of(local.account(user).unwrap(), &local, root.path()).into_iter().map(|report| report.remedy).collect()
        };
        assert!(remedies("alice").is_empty());
        assert_eq!(remedies("bob"), ["podspawn add-user bob --existing"]);
        assert_eq!(remedies("carol"), ["usermod --shell /bin/sh carol"]);
        let all = ["usermod --password '*' dave", "loginctl disable-linger dave", "crontab -u dave -r"];
        assert_eq!(remedies("dave"), all);
    }

    #[test]
    fn a_manager_is_named_apart_from_other_processes() {
        let (root, local) = local();
        let alice = local.account("alice").unwrap();
        let process = |name: &str| Named { pid: 7, name: name.to_owned() };
        assert_eq!(runs(alice, &process("systemd")).remedy, "systemctl stop user@1000.service");
        assert_eq!(runs(alice, &process("nc\u{1b}")).seen, "nc\u{fffd} (7) runs on this host as alice");
        assert!(!manager(root.path()).unwrap().is_failure());
        let file = root.path().join("usr/lib/systemd/system").join(DROP_IN);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
        assert!(manager(root.path()).is_none());
    }
}
