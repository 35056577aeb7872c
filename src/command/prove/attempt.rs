//! An attempt: the account, the client and the directory that the checks share, and how they judge a login.

use super::{
    client::{Done, Ssh},
    interrupt::Interrupt,
    sshd_log,
    test_account::TestAccount,
    work_dir::WorkDir,
};
use crate::{doctor::Report, domain::chain};
use std::time::{Duration, SystemTime};

/// How long a check may take after the first login.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What the checks share.
pub(super) struct Attempt<'a> {
    pub(super) work_dir: &'a WorkDir,
    pub(super) account: &'a TestAccount,
    pub(super) interrupt: &'a Interrupt,
    pub(super) ssh: Ssh<'a>,
    began: SystemTime,
}

/// The report of one check. An error is a failure of this host, not of podspawn.
pub(super) type Line = anyhow::Result<Report>;

impl<'a> Attempt<'a> {
    /// Finds out where sshd answers.
    pub(super) fn new(
        work_dir: &'a WorkDir,
        account: &'a TestAccount,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Report> {
        let ssh = Ssh::find(work_dir, account, interrupt).map_err(|error| {
            Report::fail("prove-sshd", chain(error.as_ref()), "podspawn doctor; systemctl status ssh")
        })?;
        Ok(Self { work_dir, account, interrupt, ssh, began: SystemTime::now() })
    }

    /// The report of a login that was refused or failed, with sshd's reason where sshd refused it.
    pub(super) fn refused(&self, check: &'static str, done: &Done) -> Report {
        let complaint = done.complaint();
        let is_sshds = complaint.contains("Permission denied") || complaint.contains("closed");
        let reason = if is_sshds { sshd_log::last_lines(self.account.name(), self.began) } else { None };
        let seen = match reason {
            Some(reason) => format!("{complaint}; sshd says: {reason}"),
            None => complaint.clone(),
        };
        Report::fail(check, seen, remedy(done.code, &complaint))
    }

    /// A pass if the exit code is `wanted`.
    pub(super) fn judge(&self, check: &'static str, done: &Done, wanted: i32, good: impl FnOnce() -> String) -> Report {
        if done.code == Some(wanted) { Report::pass(check, good()) } else { self.refused(check, done) }
    }
}

/// The remedy for a login that did not succeed.
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

pub(super) fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_of_a_refusal_is_for_the_part_that_refused_it() {
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
