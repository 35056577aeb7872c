//! `key-files`: every user has a key, and every line of their files is one.

use super::{
    Check, Group, Host, Problem, Report,
    host::keys::{Answer, Answers, Unanswered},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "key-files",
    group: Group::Keys,
    passes_if: "users have keys, and every line of their files is one",
    problems: &[NO_KEY, BAD_LINE],
    needs_root: true,
    run,
};
/// On NixOS keys are options or, with `mutableUsers`, files.
const NO_KEY: Problem = Problem::warn("a user has no key", "`podspawn add-user {user} --key-file FILE`").on_nixos(
    "set services.podspawn.users.{user}.keys and rebuild; with services.podspawn.mutableUsers: \
     `podspawn add-user {user} --key-file FILE`",
);
const BAD_LINE: Problem = Problem::warn(
    "a line of a key file is not a key that is used",
    "correct the line, or remove it: see `podspawn list-users`",
)
.on_nixos(
    "set services.podspawn.users.{user}.keys and rebuild; with services.podspawn.mutableUsers: correct the line, or \
     remove it: see `podspawn list-users`",
);

fn run(host: &Host) -> Report {
    match host.key_answers() {
        Ok(answers) => files(answers),
        Err(Unanswered::Unknown(why)) => CHECK.unknown(why, "see sshd-config"),
        Err(Unanswered::NoAccount(_)) => CHECK.unknown("the command for keys cannot be run", "see key-lookup"),
    }
}

fn files(answers: &Answers) -> Report {
    if answers.users == 0 {
        return CHECK.pass("there is no user, and no key");
    }
    if answers.failure().is_some() {
        return CHECK.unknown("no keys are found", "see key-lookup");
    }
    let problems = answers.of.iter().filter_map(problem).collect();
    CHECK.merge(problems, format!("every line of the key files of {} users is a key that is used", answers.extent()))
}

fn problem(answer: &Answer) -> Option<Report> {
    let Answer { user, keys, complaint } = answer;
    match (keys, complaint) {
        (Ok(0), complaint) => {
            let why = complaint.as_ref().map_or(String::new(), |complaint| format!(": {complaint}"));
            Some(CHECK.report(&NO_KEY, format!("{user} has no key{why}"), &[("user", user)]))
        }
        (_, Some(complaint)) => Some(CHECK.report(&BAD_LINE, complaint.as_str(), &[("user", user)])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_user_without_keys_and_a_line_that_is_no_key_are_warnings() {
        let good = || Answer::example("alice", Ok(2), None);
        let none = || Answer::example("bob", Ok(0), Some("bob: Permission denied"));
        let outcome = |of, users| files(&Answers::example(of, users)).outcome;
        assert_eq!(outcome(vec![good()], 1), Outcome::Pass);
        assert_eq!(outcome(vec![good(), none()], 2), Outcome::Warn);
        assert!(files(&Answers::example(vec![none()], 1)).seen.starts_with("unknown"));
        assert_eq!(outcome(vec![], 0), Outcome::Pass);
        let skipped = Answer::example("alice", Ok(1), Some("keys/alice:2: this is no key"));
        assert!(files(&Answers::example(vec![skipped], 1)).seen.contains("alice:2"));
    }
}
