//! What sshd gave us, as the broker wants to hear it.

use crate::protocol::{guest::MAX_COMMAND_BYTES, varlink::AttachParameters};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::IsTerminal,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// Variables of sshd and of the client that are sent; the broker filters again.
const SENT: [&str; 5] = ["SSH_CONNECTION", "SSH_CLIENT", "TERM", "LANG", "COLORTERM"];

/// Longest value that is sent, in bytes. Longer ones are left out: none of these variables needs it.
const MAX_VALUE_BYTES: usize = 4096;

/// What this process was asked for.
pub(super) struct Request {
    /// The broker's part of it.
    pub(super) parameters: AttachParameters,
    /// Whether sshd allocated a terminal.
    pub(super) terminal: bool,
    /// sshd's socket of the client's agent.
    pub(super) agent: Option<PathBuf>,
}

impl Request {
    /// Reads the environment that sshd made.
    pub(super) fn from_environment(user: Option<String>, project: Option<String>) -> Result<Self, String> {
        let command = env::var_os("SSH_ORIGINAL_COMMAND").map(OsString::into_vec);
        if command.as_ref().is_some_and(|bytes| bytes.len() >= MAX_COMMAND_BYTES) {
            return Err(format!("the command is longer than the {MAX_COMMAND_BYTES} bytes that a process takes"));
        }
        let parameters = AttachParameters {
            user,
            project: project.or_else(|| env::var("PODSPAWN_PROJECT").ok().filter(|name| !name.is_empty())),
            command: command.map(|bytes| BASE64_STANDARD.encode(bytes)),
            environment: environment(env::vars_os()),
        };
        Ok(Self {
            parameters,
            terminal: std::io::stdin().is_terminal(),
            agent: env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
        })
    }
}

fn environment(vars: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    vars.filter(|(name, value)| {
        let sent = SENT.iter().any(|sent| name == sent) || name.as_bytes().starts_with(b"LC_");
        sent && value.len() <= MAX_VALUE_BYTES
    })
    .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_variables_are_sent() {
        let vars = ["LC_ALL", "LANG", "LD_PRELOAD", "PATH", "SSH_AUTH_SOCK", "TERM", "SSH_ORIGINAL_COMMAND"];
        let sent = environment(vars.iter().map(|name| (OsString::from(name), OsString::from("x"))));
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["LANG", "LC_ALL", "TERM"]);
        assert!(environment([("TERM".into(), "x".repeat(5000).into())].into_iter()).is_empty());
    }
}
