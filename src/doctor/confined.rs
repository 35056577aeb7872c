//! That nothing of a user runs on this host but sshd's forced command.

use super::{Finding, Host, Report};
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

const CHECK: &str = "accounts-confined";
/// Where systemd looks for what is dropped into a unit.
const UNITS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// What keeps systemd from starting managers of podspawn's users.
const DROP_IN: &str = "user@.service.d/podspawn.conf";
/// A login's shell becomes `podspawn spawn` within this time.
const MOMENT: Duration = Duration::from_millis(300);
/// Most findings of users; a host with a thousand has one cause.
const MAX_FINDINGS: usize = 20;

/// `accounts-confined`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let root = Path::new("/");
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return vec![Report::unknown(CHECK, why, "sudo podspawn doctor")],
    };
    let users = host.users();
    let accounts: Vec<&Account> = users.iter().filter_map(|user| local.account(user.as_ref())).collect();
    let running = match running(&accounts) {
        Ok(running) => running,
        Err(error) => return vec![Report::unknown(CHECK, format!("/proc cannot be read: {error}"), "")],
    };
    let mut findings: Vec<Finding> = manager(root).into_iter().collect();
    for account in accounts {
        findings.extend(of(account, local, root));
        findings.extend(running.get(&account.uid).into_iter().flatten().map(|process| runs(account, process)));
        if findings.len() > MAX_FINDINGS {
            findings.truncate(MAX_FINDINGS);
            break;
        }
    }
    let good = format!("nothing of {} users can run on this host but podspawn's command", users.len());
    vec![Report::of(CHECK, findings, good)]
}

fn manager(root: &Path) -> Option<Finding> {
    let is_there = UNITS.iter().any(|place| root.join(place).join(DROP_IN).exists());
    let remedy = format!("install systemd/{DROP_IN} as README.md's Install has it, and systemctl daemon-reload");
    (!is_there).then(|| {
        Finding::notable(format!("systemd starts a user manager at users' logins: there is no {DROP_IN}"), remedy)
            .on_nixos("nixos-rebuild switch")
    })
}

/// What is so of an account by the files.
fn of(account: &Account, local: &LocalAccounts, root: &Path) -> Vec<Finding> {
    let user = &account.name;
    let mut findings = Vec::new();
    let confinement = Confinement::of(account);
    let remedy = match confinement {
        Confinement::Confined => None,
        Confinement::Shell(_) => Some(format!("usermod --shell {SHELL} {user}")),
        Confinement::Home(_) => Some(format!("podspawn add-user {user} --existing")),
        Confinement::Root => Some(format!("gpasswd --delete {user} podspawn")),
    };
    if let Some(remedy) = remedy {
        let declared = format!("let services.podspawn alone set users.users.{user}.home and .shell, and rebuild");
        findings.push(
            Finding::broken(format!("{user} {confinement}, and gets no keys for that"), remedy).on_nixos(declared),
        );
    }
    let password = local.shadow(user.as_ref()).map(|shadow| shadow.password);
    if matches!(password, Some(Password::Usable | Password::Empty)) {
        let remedy = format!("usermod --password '*' {user}");
        findings.push(
            Finding::broken(format!("{user} has a password, which opens a shell on this host's console"), &remedy)
                .on_nixos(format!("{remedy} # and no password option of users.users.{user}")),
        );
    }
    if jobs::linger(root, account).is_some() {
        let what = format!("{user} lingers: systemd would start a user manager of its own at boot");
        findings.push(Finding::broken(what, format!("loginctl disable-linger {user}")));
    }
    for job in jobs::scheduled(root, account) {
        findings.push(Finding::broken(format!("{} runs on this host as {user}", job.display()), removal(user, &job)));
    }
    findings
}

fn removal(user: &UserName, job: &Path) -> String {
    if job.file_name().is_some_and(|name| name == user.as_ref()) {
        format!("crontab -u {user} -r")
    } else {
        format!("rm {}", job.display())
    }
}

fn runs(account: &Account, process: &Named) -> Finding {
    let what = format!("{process} runs on this host as {}", account.name);
    if process.is_manager() {
        // One from before the file was there, until the last connection of that time ends.
        Finding::notable(what, format!("systemctl stop user@{}.service", account.uid))
    } else {
        Finding::broken(what, format!("kill {}", process.pid))
    }
}

/// Processes that are no connection, by their owner; looked at twice, since a login is a shell first.
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
    fn whatever_could_run_as_a_user_is_named_with_what_ends_it() {
        let (root, local) = local();
        let remedies = |user: &str| -> Vec<String> {
            of(local.account(user).unwrap(), &local, root.path()).into_iter().map(|finding| finding.remedy).collect()
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
        assert_eq!(runs(alice, &process("nc\u{1b}")).what, "nc? (7) runs on this host as alice");
        assert!(!manager(root.path()).unwrap().is_broken());
        let place = root.path().join("usr/lib/systemd/system").join(DROP_IN);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, "").unwrap();
        assert!(manager(root.path()).is_none());
    }
}
