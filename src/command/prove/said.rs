//! What sshd wrote to the journal about an account, which is where it says why it let nobody in.

use crate::{
    domain::{UserName, text::one_line},
    sys::program,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the journal may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most lines that are told.
const LINES: usize = 2;

/// The last that sshd said about `user` since `since`; `None` where it said nothing, or there is no journal.
pub(super) fn by_sshd(user: &UserName, since: SystemTime) -> Option<String> {
    let journal = program::find("journalctl")?;
    let since = since.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let since = format!("--since=@{since}");
    // `sshd-session` since OpenSSH 9.8.
    let arguments = ["--quiet", "--no-pager", "--output=cat", &since, "--identifier=sshd", "--identifier=sshd-session"];
    let done = program::run(&journal, &arguments, b"", PATIENCE).ok()?;
    about(&done.out, user.as_ref())
}

/// The last lines that name the account and say more than that somebody went.
fn about(text: &str, user: &str) -> Option<String> {
    let says_more = |line: &&str| {
        line.contains(user)
            && !["Accepted ", "Disconnected ", "Connection ", "pam_unix", "Received disconnect"]
                .iter()
                .any(|word| line.contains(word))
    };
    let lines: Vec<&str> = text.lines().filter(says_more).collect();
    let mut last: Vec<&str> = lines.into_iter().rev().take(LINES).collect();
    last.reverse();
    last.dedup();
    let told: String = one_line(&last.join("; ")).chars().take(400).collect();
    Some(told).filter(|told| !told.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_and_not_the_farewell() {
        let text = "Server listening on 0.0.0.0 port 22.\n\
                    User podspawn-prove-0123abcd from 127.0.0.1 not allowed because not listed in AllowUsers\n\
                    User mallory from 127.0.0.1 not allowed because not listed in AllowUsers\n\
                    Connection closed by invalid user podspawn-prove-0123abcd 127.0.0.1 port 4711 [preauth]\n";
        let told = about(text, "podspawn-prove-0123abcd").unwrap();
        assert_eq!(told, "User podspawn-prove-0123abcd from 127.0.0.1 not allowed because not listed in AllowUsers");
        assert_eq!(about(text, "alice"), None);
    }
}
