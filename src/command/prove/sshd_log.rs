//! The lines of sshd's log about an account: the reason of a refusal is in the journal only.

use crate::{
    domain::{UserName, text::one_line},
    sys::program,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the journal may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most lines that are returned.
const MAX_LINES: usize = 2;

/// sshd's last lines about `user` since `since`; `None` where there are none, or no journal.
pub(super) fn last_lines(user: &UserName, since: SystemTime) -> Option<String> {
    let journal = program::find("journalctl")?;
    let since = since.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let since = format!("--since=@{since}");
    // `sshd-session` since OpenSSH 9.8.
    let arguments = ["--quiet", "--no-pager", "--output=cat", &since, "--identifier=sshd", "--identifier=sshd-session"];
    let done = program::run(&journal, &arguments, b"", PATIENCE).ok()?;
    about(&done.out, user.as_ref())
}

/// The last lines that name the account, without those of every connection.
fn about(text: &str, user: &str) -> Option<String> {
    let is_reason = |line: &&str| {
        line.contains(user)
            && !["Accepted ", "Disconnected ", "Connection ", "pam_unix", "Received disconnect"]
                .iter()
                .any(|word| line.contains(word))
    };
    let lines: Vec<&str> = text.lines().filter(is_reason).collect();
    let mut last: Vec<&str> = lines.into_iter().rev().take(MAX_LINES).collect();
    last.reverse();
    last.dedup();
    let text: String = one_line(&last.join("; ")).chars().take(400).collect();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_returned_and_not_the_end_of_the_connection() {
        let text = "Server listening on 0.0.0.0 port 22.\n\
                    User podspawn-prove-0123abcd from 127.0.0.1 not allowed because not listed in AllowUsers\n\
                    User mallory from 127.0.0.1 not allowed because not listed in AllowUsers\n\
                    Connection closed by invalid user podspawn-prove-0123abcd 127.0.0.1 port 4711 [preauth]\n";
        let reason = about(text, "podspawn-prove-0123abcd").unwrap();
        assert_eq!(reason, "User podspawn-prove-0123abcd from 127.0.0.1 not allowed because not listed in AllowUsers");
        assert_eq!(about(text, "alice"), None);
    }
}
