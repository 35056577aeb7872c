//! The answers of sshd's command for keys, run as sshd runs it and by the account that sshd is configured with.

use crate::{
    accounts::{Account, local::LocalAccounts},
    domain::UserName,
    sshd::Effective,
    sys::program::{self, Identity},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long all may take: some hundred users. The report says how many users were asked about.
const PATIENCE: Duration = Duration::from_secs(1);

/// The answers of sshd's command for keys.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Those about each user until the time was over.
    pub(crate) of: Vec<Answer>,
    /// How many users exist.
    pub(crate) users: usize,
    /// The account that sshd runs the command as.
    pub(crate) account: String,
    /// The command with a user's name to fill in.
    pub(crate) by_hand: String,
}

/// The answer about one user.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) user: String,
    /// How many keys sshd would get; or why the command has no answer.
    pub(crate) keys: Result<usize, String>,
    /// What the command writes beside them.
    pub(crate) complaint: Option<String>,
}

/// Why there are no answers.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// sshd does not say which command it runs.
    Unknown(&'static str),
    /// The account that runs the command does not exist.
    NoAccount(String),
}

impl Answers {
    /// "all 3", or how many of them were asked about.
    pub(crate) fn extent(&self) -> String {
        let (asked, users) = (self.of.len(), self.users);
        if asked < users { format!("the first {asked} of {users}") } else { format!("all {users}") }
    }

    /// Why sshd gets no keys at all; `None` if it gets those of a user.
    pub(crate) fn failure(&self) -> Option<&str> {
        let failed = self.of.iter().find_map(|answer| answer.keys.as_ref().err());
        let has_keys = self.of.iter().any(|answer| answer.keys.as_ref().is_ok_and(|keys| *keys > 0));
        if failed.is_none() && has_keys {
            return None;
        }
        let why = failed.or_else(|| self.of.iter().find_map(|answer| answer.complaint.as_ref()));
        Some(why.map_or("it knows no key of any user", String::as_str))
    }

    /// Asks about `users`, for whom sshd has `options`.
    pub(super) fn ask(options: &Effective, local: &LocalAccounts, users: &[UserName]) -> Result<Self, Unanswered> {
        let (Some(command), Some(name)) =
            (options.named("authorizedkeyscommand"), options.named("authorizedkeyscommanduser"))
        else {
            return Err(Unanswered::Unknown("sshd runs no command for keys"));
        };
        let Some(runner) = local.account(name) else { return Err(Unanswered::NoAccount(name.to_owned())) };
        let accounts: Vec<&Account> = users.iter().filter_map(|user| local.account(user.as_ref())).collect();
        let identity = identity(runner, local);
        let end = Instant::now() + PATIENCE;
        let asked = accounts.iter().take_while(|_| Instant::now() < end);
        let of = asked.map(|account| answer(command, &identity, account)).collect();
        Ok(Self { of, users: accounts.len(), account: name.to_owned(), by_hand: by_hand(command) })
    }
}

/// User and groups of a process of the account.
pub(crate) fn identity(account: &Account, local: &LocalAccounts) -> Identity {
    let names = local.groups_of(account);
    let groups = local.groups.iter().filter(|group| names.contains(&group.name)).map(|group| group.gid).collect();
    Identity { uid: account.uid, gid: account.gid, groups }
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

/// The tokens of `AuthorizedKeysCommand`, for a key that no user has.
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

/// The command as an administrator types it.
fn by_hand(command: &str) -> String {
    command.replace("%u", "USER").split_whitespace().filter(|word| !word.starts_with('%')).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
impl Answers {
    /// Answers for the tests of the checks that look at them.
    pub(crate) fn example(of: Vec<Answer>, users: usize) -> Self {
        Self { of, users, account: "keys".into(), by_hand: "/x".into() }
    }
}

#[cfg(test)]
impl Answer {
    /// An answer for the tests of the checks that look at it.
    pub(crate) fn example(user: &str, keys: Result<usize, &str>, complaint: Option<&str>) -> Self {
        Self { user: user.into(), keys: keys.map_err(str::to_owned), complaint: complaint.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
