//! Keys: sshd's question asked as sshd asks it, by the command that is configured and as the user that is configured.

use super::{Finding, Host, Report, people::identity};
use crate::{
    accounts::Account,
    sys::program::{self, Identity},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const LOOKUP: &str = "key-lookup";
const FILES: &str = "key-files";
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long all may take: some hundred users. How many were not asked about by then is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// The answer about one user.
#[derive(Debug)]
struct Answer {
    user: String,
    /// How many keys sshd would get; or why the command has no answer.
    keys: Result<usize, String>,
    /// What it says beside them.
    complaint: Option<String>,
}

/// `key-lookup`, `key-files`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let unknown = |why: &str| [LOOKUP, FILES].map(|check| Report::unknown(check, why, "see sshd-config")).into();
    let (Ok(options), Ok(local)) = (host.sshd_for_a_user(), host.accounts()) else {
        return unknown("sshd does not say what it would run");
    };
    let (Some(command), Some(name)) =
        (options.named("authorizedkeyscommand"), options.named("authorizedkeyscommanduser"))
    else {
        return unknown("sshd runs no command for keys");
    };
    let Some(runner) = local.account(name) else {
        let report = Report::fail(LOOKUP, format!("there is no account {name}, which asks for keys"), "see accounts");
        return vec![report, Report::unknown(FILES, "nobody can ask", "see key-lookup")];
    };
    let users = host.users();
    let accounts: Vec<&Account> = users.iter().filter_map(|user| local.account(user.as_ref())).collect();
    let answers = ask(command, &identity(runner, local), &accounts);
    judge(&answers, accounts.len(), &format!("sudo -u {name} {}", by_hand(command)))
}

fn ask(command: &str, runner: &Identity, accounts: &[&Account]) -> Vec<Answer> {
    let end = Instant::now() + PATIENCE;
    let asked = accounts.iter().take_while(|_| Instant::now() < end);
    asked.map(|account| answer(command, runner, account)).collect()
}

fn answer(command: &str, runner: &Identity, account: &Account) -> Answer {
    let words: Vec<String> = command.split_whitespace().map(|word| expand(word, account)).collect();
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let program = Path::new(words.first().map_or("", String::as_str));
    let done = program::run_as(runner, program, &arguments, b"", DEADLINE);
    let (keys, complaint) = match done {
        Ok(done) if done.succeeded() => {
            let keys = done.out.lines().filter(|line| !line.trim().is_empty()).count();
            (Ok(keys), (!done.err.trim().is_empty()).then(|| done.complaint()))
        }
        Ok(done) => (Err(done.complaint()), None),
        Err(error) => (Err(format!("{}: {error}", program.display())), None),
    };
    Answer { user: account.name.to_string(), keys, complaint }
}

/// The tokens of `AuthorizedKeysCommand`, for a key that nobody has.
fn expand(word: &str, account: &Account) -> String {
    word.replace("%%", "\0")
        .replace("%u", account.name.as_ref())
        .replace("%U", &account.uid.to_string())
        .replace("%h", &account.home.to_string_lossy())
        .replace("%t", "ssh-ed25519")
        .replace("%k", "AAAA")
        .replace("%f", "SHA256:none")
        .replace('\0', "%")
}

/// The command for a person to type.
fn by_hand(command: &str) -> String {
    command.replace("%u", "USER").split_whitespace().filter(|word| !word.starts_with('%')).collect::<Vec<_>>().join(" ")
}

fn judge(answers: &[Answer], users: usize, by_hand: &str) -> Vec<Report> {
    if users == 0 {
        let remedy = "podspawn add-user NAME --key-file FILE";
        let report = Report::warn(LOOKUP, "there is no user yet", remedy).on_nixos(declared("NAME", remedy));
        return vec![report, Report::pass(FILES, "no user, no key")];
    }
    let failed = answers.iter().find_map(|answer| answer.keys.as_ref().err());
    let nothing = !answers.iter().any(|answer| answer.keys.as_ref().is_ok_and(|keys| *keys > 0));
    let why = failed.or_else(|| answers.iter().find_map(|answer| answer.complaint.as_ref()));
    if failed.is_some() || nothing {
        let why = why.map_or("it knows no key of anybody", String::as_str);
        let report = Report::fail(LOOKUP, format!("sshd's question for keys fails: {why}"), by_hand);
        return vec![report, Report::unknown(FILES, "nobody's keys are found", "see key-lookup")];
    }
    let asked = answers.len();
    let of = if asked < users { format!("the first {asked} of {users}") } else { format!("all {users}") };
    let findings = answers.iter().filter_map(finding).collect();
    vec![
        Report::pass(LOOKUP, format!("sshd's own question, asked as its user, finds keys ({of} users)")),
        Report::of(FILES, findings, format!("every line of the key files of {of} users is a key that is used")),
    ]
}

fn finding(answer: &Answer) -> Option<Finding> {
    let Answer { user, keys, complaint } = answer;
    let remedy = format!("podspawn add-user {user} --key-file FILE");
    match (keys, complaint) {
        (Ok(0), complaint) => {
            let why = complaint.as_ref().map_or(String::new(), |complaint| format!(": {complaint}"));
            let declared = declared(user, &remedy);
            Some(Finding::notable(format!("{user} has no key{why}"), remedy).on_nixos(declared))
        }
        (_, Some(complaint)) => {
            let remedy = "mend the line, or take it out: see podspawn list-users";
            Some(Finding::notable(complaint.clone(), remedy).on_nixos(declared(user, remedy)))
        }
        _ => None,
    }
}

/// Keys are options' or, with `mutableUsers`, files'.
fn declared(user: &str, by_hand: &str) -> String {
    format!("set services.podspawn.users.{user}.keys and rebuild; with services.podspawn.mutableUsers: {by_hand}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn answer_of(user: &str, keys: Result<usize, &str>, complaint: Option<&str>) -> Answer {
        Answer { user: user.into(), keys: keys.map_err(str::to_owned), complaint: complaint.map(str::to_owned) }
    }

    fn outcomes(answers: &[Answer], users: usize) -> (Outcome, Outcome) {
        let reports = judge(answers, users, "try it");
        (reports[0].outcome, reports[1].outcome)
    }

    #[test]
    fn one_user_without_keys_is_a_matter_of_the_file_and_all_of_them_of_the_lookup() {
        let good = || answer_of("alice", Ok(2), None);
        let none = || answer_of("bob", Ok(0), Some("bob: Permission denied"));
        assert_eq!(outcomes(&[good()], 1), (Outcome::Pass, Outcome::Pass));
        assert_eq!(outcomes(&[good(), none()], 2), (Outcome::Pass, Outcome::Warn));
        assert_eq!(outcomes(&[none()], 1), (Outcome::Fail, Outcome::Warn));
        assert_eq!(outcomes(&[good(), answer_of("bob", Err("status 1"), None)], 2).0, Outcome::Fail);
        assert_eq!(outcomes(&[], 0), (Outcome::Warn, Outcome::Pass));
        let skipped = answer_of("alice", Ok(1), Some("keys/alice:2: this is no key"));
        assert!(judge(&[skipped], 1, "")[1].seen.contains("alice:2"));
        assert!(judge(&[good()], 3, "")[0].seen.contains("the first 1 of 3"));
    }

    #[test]
    fn the_command_is_expanded_as_sshd_does_it() {
        let account = Account {
            name: "alice".parse().unwrap(),
            uid: 1000,
            gid: 990,
            home: "/var/empty".into(),
            shell: "/bin/sh".into(),
        };
        let words: Vec<String> = "/x %u %U %h %t %%u".split(' ').map(|word| expand(word, &account)).collect();
        assert_eq!(words, ["/x", "alice", "1000", "/var/empty", "ssh-ed25519", "%u"]);
        assert_eq!(by_hand("/usr/bin/podspawn auth-keys %u %t %k"), "/usr/bin/podspawn auth-keys USER");
    }
}
