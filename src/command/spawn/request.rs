//! The request of a session, from the environment that sshd made.

use super::error::SpawnError;
use crate::{
    policy::environment::{Choice, SIGN_OF_NO_PAM, choose, is_kept},
    protocol::{guest::MAX_COMMAND_BYTES, varlink::AttachParameters},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::IsTerminal,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::PathBuf,
};

/// Longest value of the sign that sshd does not use PAM: the path of a mailbox.
const MAX_SIGN_BYTES: usize = 4096;

/// Most names of variables in the line about those that are left out.
const MAX_NAMES: usize = 5;

/// The request of one session.
pub(super) struct Request {
    /// The parameters of the call to the broker.
    pub(super) parameters: AttachParameters,
    /// Whether sshd allocated a terminal.
    pub(super) terminal: bool,
    /// sshd's socket of the client's agent.
    pub(super) agent: Option<PathBuf>,
    /// A line for the user about variables that are not passed on.
    pub(super) remark: Option<String>,
}

impl Request {
    /// Reads the environment that sshd made.
    pub(super) fn from_environment(user: Option<String>, project: Option<String>) -> Result<Self, SpawnError> {
        let command = env::var_os("SSH_ORIGINAL_COMMAND").map(OsString::into_vec);
        if command.as_ref().is_some_and(|bytes| bytes.len() >= MAX_COMMAND_BYTES) {
            return Err(SpawnError::CommandTooLong);
        }
        let (environment, left_out) = environment(env::vars_os());
        let parameters = AttachParameters {
            user,
            project: project.or_else(|| env::var("PODSPAWN_PROJECT").ok().filter(|name| !name.is_empty())),
            command: command.map(|bytes| BASE64_STANDARD.encode(bytes)),
            environment,
        };
        Ok(Self {
            parameters,
            terminal: std::io::stdin().is_terminal(),
            agent: env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).filter(is_own),
            remark: remark(&left_out),
        })
    }
}

/// Whether the socket is one that sshd made for this user, and not one of the host that PAM names to all users.
fn is_own(socket: &PathBuf) -> bool {
    let own = rustix::process::getuid().as_raw();
    std::fs::metadata(socket).is_ok_and(|file| file.uid() == own)
}

/// The variables for the broker, which filters again, and the names of those that are left out.
fn environment(vars: impl Iterator<Item = (OsString, OsString)>) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut offered, mut no_text) = (BTreeMap::new(), Vec::new());
    let named = vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    for (name, value) in named.filter(|(name, _)| is_kept(name) || name == SIGN_OF_NO_PAM) {
        match value.into_string() {
            Ok(value) => drop(offered.insert(name, value)),
            Err(_) => no_text.push(name),
        }
    }
    let Choice { kept, mut left_out } = choose(&offered);
    left_out.append(&mut no_text);
    let sign = offered.remove_entry(SIGN_OF_NO_PAM).filter(|(_, value)| value.len() <= MAX_SIGN_BYTES);
    (kept.into_iter().chain(sign).collect(), left_out)
}

fn remark(left_out: &[String]) -> Option<String> {
    let more = left_out.len().saturating_sub(MAX_NAMES);
    let (first, more) = match left_out {
        [] => return None,
        all if more == 0 => (all.join(", "), String::new()),
        all => (all[..MAX_NAMES].join(", "), format!(" and {more} more")),
    };
    Some(format!("not passed on, too large in all or not UTF-8: {first}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vars: &[(&str, &[u8])]) -> (BTreeMap<String, String>, Vec<String>) {
        environment(vars.iter().map(|(name, value)| ((*name).into(), OsString::from_vec(value.to_vec()))))
    }

    #[test]
    fn only_documented_variables_are_sent() {
        let vars = ["LC_ALL", "LANG", "LD_PRELOAD", "PATH", "SSH_AUTH_SOCK", "TERM", "SSH_ORIGINAL_COMMAND", "MAIL"];
        let (sent, left_out) = of(&vars.map(|name| (name, &b"x"[..])));
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["LANG", "LC_ALL", "MAIL", "TERM"]);
        assert_eq!(remark(&left_out), None);
    }

    #[test]
    fn a_line_names_the_variables_that_are_not_passed_on() {
        let (sent, left_out) =
            of(&[("LC_A", &vec![b'x'; 20_000]), ("TERM", b"xterm"), ("LC_B", b"\xff"), ("PATH", b"\xff")]);
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["TERM"]);
        let line = remark(&left_out).unwrap();
        assert_eq!(line, "not passed on, too large in all or not UTF-8: LC_A, LC_B");
        let many: Vec<String> = (0..8).map(|n| format!("LC_{n}")).collect();
        assert!(remark(&many).unwrap().ends_with("LC_4 and 3 more"));
    }

    #[test]
    fn only_a_socket_of_the_users_own_is_the_clients_agent() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_own(&directory.path().to_owned()));
        assert!(!is_own(&directory.path().join("absent")));
    }
}
