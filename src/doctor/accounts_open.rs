//! `accounts-open`: sshd lets the accounts of users in.

use super::{Check, Group, Host, Problem, Report};
use crate::{
    accounts::local::{LocalAccounts, Password},
    domain::UserName,
    sshd::Effective,
    sys::clock::unix_days,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "accounts-open",
    group: Group::Accounts,
    passes_if: "users' accounts are neither expired nor, without PAM, locked",
    problems: &[LOCKED, EXPIRED],
    needs_root: true,
    run,
};
const LOCKED: Problem = Problem::warn(
    "an account is locked, and sshd has `UsePAM no`",
    "`podspawn add-user {user}` opens it, as does `usermod --password '*' {user}`",
)
.on_nixos("set users.users.{user}.hashedPassword = \"*\", or services.openssh.settings.UsePAM = true");
const EXPIRED: Problem = Problem::warn("an account is expired", "`usermod --expiredate '' {user}`");

fn run(host: &Host) -> Report {
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return CHECK.unknown(why, "sudo podspawn doctor"),
    };
    let options = match host.sshd_for_a_user() {
        Ok(options) => options,
        Err(why) => return CHECK.unknown(format!("sshd says: {why}"), "sshd -t"),
    };
    let users = host.users();
    let pam = if options.is_yes("usepam") { "UsePAM yes" } else { "UsePAM no" };
    let locked = users.iter().filter(|name| is_locked(name, local)).count();
    let good = format!("sshd lets all {} users' accounts in ({pam}, {locked} locked)", users.len());
    CHECK.merge(closed(options, &users, local, unix_days()), good)
}

fn is_locked(name: &UserName, local: &LocalAccounts) -> bool {
    let shadow = local.shadow(name.as_ref());
    shadow.is_some_and(|shadow| matches!(shadow.password, Password::Locked | Password::LockedHash))
}

/// The members whose accounts sshd does not let in; `day` is today's, since 1970.
#[must_use]
pub fn closed(options: &Effective, members: &[UserName], local: &LocalAccounts, day: i64) -> Vec<Report> {
    let has_pam = options.is_yes("usepam");
    let mut problems = Vec::new();
    for name in members {
        let Some(shadow) = local.shadow(name.as_ref()) else { continue };
        if is_locked(name, local) && !has_pam {
            let seen = format!("{name} is locked, and sshd has UsePAM no, so that it refuses locked accounts");
            problems.push(CHECK.report(&LOCKED, seen, &[("user", name)]));
        }
        if shadow.is_expired(day) {
            problems.push(CHECK.report(&EXPIRED, format!("the account {name} is expired"), &[("user", name)]));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_account_and_one_that_is_locked_without_pam_are_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/shadow"), "alice:!:1::::::\nbob:*:1:::::50:\ncarol:*:1::::::\n").unwrap();
        let local = LocalAccounts::read(root.path()).unwrap();
        let members: Vec<UserName> =
            ["alice", "bob", "carol", "ghost"].iter().map(|name| name.parse().unwrap()).collect();
        let seen = |pam: &str| -> Vec<String> {
            let options = Effective::parse_for_test(pam);
            closed(&options, &members, &local, 60).into_iter().map(|report| report.seen).collect()
        };
        assert_eq!(seen("usepam yes"), ["the account bob is expired"]);
        assert_eq!(seen("usepam no").len(), 2);
    }
}
