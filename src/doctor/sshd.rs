//! sshd: its version and configuration, whether it runs, and the programs that it names.

pub mod binary;
pub mod config;
pub(super) mod reload;
pub(super) mod running;
pub(super) mod startups;
pub mod users;
pub mod version;

use crate::sshd::Effective;
use std::path::PathBuf;

/// Why the state is unknown where sshd gives no answer.
pub(super) const REFUSES: &str = "sshd does not say: see sshd-config";

/// The program that sshd runs for a session, if the forced command is like podspawn's.
pub(super) fn session_program(options: &Effective) -> Option<PathBuf> {
    let mut words = options.value("forcecommand").split_whitespace().skip_while(|word| *word == "exec");
    let program = words.next().filter(|word| word.starts_with('/'))?;
    (words.next() == Some("spawn")).then(|| program.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_session_is_that_of_a_forced_command_like_ours() {
        let of = |text: &str| session_program(&Effective::parse_for_test(text));
        assert_eq!(of("forcecommand exec /usr/bin/podspawn spawn"), Some("/usr/bin/podspawn".into()));
        assert_eq!(of("forcecommand /opt/podspawn spawn"), Some("/opt/podspawn".into()));
        for other in ["forcecommand none", "", "forcecommand podspawn spawn", "forcecommand /bin/sh -c x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
