//! What is tried, in the order in which one needs the other: a key, a login, and what people do once they are in.

mod tasks;

use super::{
    Interrupt,
    client::{Done, Running, Ssh},
    place::Place,
    said,
    traveller::Traveller,
};
use crate::{
    accounts::Accounts,
    command::auth_keys::configured_key_dir,
    doctor::Report,
    domain::chain,
    sys::program::{self, Identity},
};
use anyhow::Context as _;
use std::time::{Duration, SystemTime};

/// How long anything may take once somebody is in.
const PATIENCE: Duration = Duration::from_secs(60);
/// sshd's own account for the question about keys.
const READER: &str = "podspawn-keys";

/// What tries.
pub(super) struct Checks<'a> {
    place: &'a Place,
    traveller: &'a Traveller,
    interrupt: &'a Interrupt,
    ssh: Ssh<'a>,
    began: SystemTime,
}

/// The line of one check, or why there is none: something of this host's fails, not of podspawn's.
type Line = anyhow::Result<Report>;

/// A check, and the name that it has where there is none.
type Check<'a> = (&'static str, fn(&Checks<'a>) -> Line);

impl<'a> Checks<'a> {
    pub(super) fn new(place: &'a Place, traveller: &'a Traveller, interrupt: &'a Interrupt) -> Result<Self, Report> {
        let ssh = Ssh::find(place, traveller, interrupt).map_err(|error| {
            Report::fail("prove-sshd", chain(error.as_ref()), "podspawn doctor; systemctl status ssh")
        })?;
        Ok(Self { place, traveller, interrupt, ssh, began: SystemTime::now() })
    }

    /// Tries everything. The error is the line after which nothing more can be tried.
    pub(super) fn run(&self, lines: &mut Vec<Report>) -> Result<(), Report> {
        lines.push(self.keys()?);
        let (_held, line) = self.login()?;
        lines.push(line);
        let rest: [Check<'a>; 8] = [
            ("prove-second-login", Self::second_login),
            ("prove-terminal", Self::terminal),
            ("prove-exit-code", Self::exit_code),
            ("prove-signal", Self::signal),
            ("prove-hang-up", Self::hang_up),
            ("prove-pipes", Self::pipes),
            ("prove-sftp", Self::sftp),
            ("prove-agent", Self::agent),
        ];
        for (name, check) in rest {
            let line = check(self).unwrap_or_else(|error| Report::fail(name, chain(error.as_ref()), ""));
            // One that was cut short says nothing.
            if self.interrupt.is_hit() {
                break;
            }
            lines.push(line);
        }
        Ok(())
    }

    /// What sshd asks, as sshd asks it.
    fn keys(&self) -> Result<Report, Report> {
        const CHECK: &str = "prove-keys";
        let asked = || -> anyhow::Result<_> {
            let reader = Accounts::new().by_name(&READER.parse()?).with_context(|| format!("account {READER}"))?;
            let identity = Identity { uid: reader.uid, gid: reader.gid, groups: Vec::new() };
            let own = std::env::current_exe().context("finding podspawn's own path")?;
            let name = self.traveller.name().as_ref();
            program::run_as(&identity, &own, &["auth-keys", name], b"", PATIENCE).context("running podspawn auth-keys")
        };
        let directory = configured_key_dir();
        let remedy =
            format!("{} must be root's, with group {READER} and mode 0750: podspawn doctor", directory.display());
        match asked() {
            Ok(done) if done.out.contains(self.traveller.blob()) => {
                Ok(Report::pass(CHECK, format!("{READER} reads the key in {}", directory.display())))
            }
            Ok(done) => {
                let said = if done.err.trim().is_empty() { "it printed no key".to_owned() } else { done.complaint() };
                Err(Report::fail(CHECK, format!("auth-keys, as {READER}, does not find the key: {said}"), remedy))
            }
            Err(error) => Err(Report::fail(CHECK, chain(error.as_ref()), remedy)),
        }
    }

    /// The first login, which is held so that the container stays whatever its mode.
    fn login(&self) -> Result<(Running, Report), Report> {
        const CHECK: &str = "prove-login";
        let address = self.ssh.address;
        match self.ssh.hold("echo ready; exec cat") {
            Ok(Ok((held, took))) => {
                let line =
                    Report::pass(CHECK, format!("in a container after {}, through sshd on {address}", seconds(took)));
                Ok((held, line))
            }
            Ok(Err(_)) if self.interrupt.is_hit() => Err(Report::fail(CHECK, "interrupted", "")),
            Ok(Err(done)) => Err(self.refused(CHECK, &done)),
            Err(error) => Err(Report::fail(CHECK, chain(error.as_ref()), "")),
        }
    }

    /// Why nobody got in, and whose affair that is.
    fn refused(&self, check: &'static str, done: &Done) -> Report {
        let complaint = done.complaint();
        let is_sshds = complaint.contains("Permission denied") || complaint.contains("closed");
        let told = if is_sshds { said::by_sshd(self.traveller.name(), self.began) } else { None };
        let seen = match told {
            Some(told) => format!("{complaint}; sshd says: {told}"),
            None => complaint.clone(),
        };
        Report::fail(check, seen, remedy(done.code, &complaint))
    }

    /// A line by the exit code.
    fn judge(&self, check: &'static str, done: &Done, wanted: i32, good: impl FnOnce() -> String) -> Report {
        if done.code == Some(wanted) { Report::pass(check, good()) } else { self.refused(check, done) }
    }
}

/// What to do about a login that did not come to its end.
fn remedy(code: Option<i32>, complaint: &str) -> &'static str {
    let has = |word: &str| complaint.contains(word);
    match code {
        _ if has("Host key verification failed") => {
            "sshd shows another key than those in /etc/ssh: systemctl restart ssh"
        }
        _ if has("Permission denied") => {
            "journalctl -u ssh says why; AllowUsers, AllowGroups and the like must let group podspawn in"
        }
        _ if has("Connection refused") || has("timed out") => "systemctl status ssh",
        _ if has("cannot be reached") => "systemctl status podspawn-broker.socket podspawn-broker",
        _ if has("podspawn:") => "journalctl -x -u podspawn-broker says more",
        Some(127) => "the image lacks a shell or a program: podspawn verify-image IMAGE",
        _ => "journalctl -u ssh -u podspawn-broker",
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_whose_affair_it_is() {
        for (code, complaint, word) in [
            (255, "x@127.0.0.1: Permission denied (publickey).", "AllowUsers"),
            (255, "ssh: connect to host 127.0.0.1 port 22: Connection refused", "systemctl status ssh"),
            (255, "podspawn: the podspawn broker cannot be reached", "podspawn-broker.socket"),
            (255, "podspawn: the server has 50 of at most 50 containers", "journalctl -x"),
            (255, "Host key verification failed.", "another key"),
            (127, "it ended with 127 and said nothing", "verify-image"),
            (1, "boom", "journalctl -u ssh -u podspawn-broker"),
        ] {
            assert!(remedy(Some(code), complaint).contains(word), "{complaint}");
        }
    }
}
