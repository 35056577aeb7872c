//! `key-lookup`: sshd's command for keys works. It is run as sshd runs it, by the account that sshd is configured with.

use super::{
    Check, Group, Host, Problem, Report, Values,
    host::keys::{Answers, Unanswered},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "key-lookup",
    group: Group::Keys,
    passes_if: "sshd's command for keys works, run as sshd runs it and by the same account",
    problems: &[NO_ACCOUNT, NO_KEYS, NO_USER],
    needs_root: true,
    run,
};
const NO_ACCOUNT: Problem = Problem::fail("the account that runs the command does not exist", "see accounts");
const NO_KEYS: Problem =
    Problem::fail("the command fails, or finds no key of any user; run it by hand", "`sudo -u {account} {command}`");
const NO_USER: Problem = Problem::warn("there is no user", "`podspawn add-user NAME --key-file FILE`").on_nixos(
    "set services.podspawn.users.NAME.keys and rebuild; with services.podspawn.mutableUsers: \
     `podspawn add-user NAME --key-file FILE`",
);

fn run(host: &Host) -> Report {
    match host.key_answers() {
        Ok(answers) => lookup(answers),
        Err(Unanswered::Unknown(why)) => CHECK.unknown(why, "see sshd-config"),
        Err(Unanswered::NoAccount(name)) => {
            CHECK.report(&NO_ACCOUNT, format!("there is no account {name}, which asks for keys"), &[])
        }
    }
}

fn lookup(answers: &Answers) -> Report {
    if answers.users == 0 {
        return CHECK.report(&NO_USER, "there is no user yet", &[]);
    }
    match answers.failure() {
        Some(why) => {
            let values: Values<'_> = &[("account", &answers.account), ("command", &answers.by_hand)];
            CHECK.report(&NO_KEYS, format!("sshd's command for keys fails: {why}"), values)
        }
        None => CHECK.pass(format!("sshd's own command, run by its account, finds keys ({} users)", answers.extent())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Outcome, host::keys::Answer};

    #[test]
    fn a_command_that_fails_or_finds_no_key_at_all_is_a_failure() {
        let good = || Answer::example("alice", Ok(2), None);
        let none = || Answer::example("bob", Ok(0), Some("bob: Permission denied"));
        let outcome = |of, users| lookup(&Answers::example(of, users)).outcome;
        assert_eq!(outcome(vec![good()], 1), Outcome::Pass);
        assert_eq!(outcome(vec![good(), none()], 2), Outcome::Pass);
        assert_eq!(outcome(vec![none()], 1), Outcome::Fail);
        assert_eq!(outcome(vec![good(), Answer::example("bob", Err("status 1"), None)], 2), Outcome::Fail);
        assert_eq!(outcome(vec![], 0), Outcome::Warn);
        assert!(lookup(&Answers::example(vec![good()], 3)).seen.contains("the first 1 of 3"));
        assert_eq!(lookup(&Answers::example(vec![none()], 1)).remedy, "sudo -u keys /x");
    }
}
