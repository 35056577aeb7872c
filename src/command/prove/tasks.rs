//! The checks after the login: what users do, each with a report.

use super::{
    attempt::{Attempt, Line, PATIENCE, seconds},
    client::Input,
};
use crate::{doctor::Report, domain::text::hex, protocol::guest::GUEST_BINARY, sys::program};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::Read as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// How long a process may go on after its client has gone; the guest kills after five seconds.
const HANG_UP: Duration = Duration::from_secs(10);
/// What is sent through the pipes, in bytes: more than any buffer on the way.
const SENT: usize = 1024 * 1024;

impl Attempt<'_> {
    pub(super) fn second_login(&self) -> Line {
        let done = self.ssh.run("exit 0")?;
        Ok(self.judge("prove-second-login", &done, 0, || format!("in after {}", seconds(done.took))))
    }

    /// A login shell on a terminal of the container.
    pub(super) fn terminal(&self) -> Line {
        const CHECK: &str = "prove-terminal";
        let command = self.ssh.ssh(&["-tt"], None)?;
        // What comes back as an echo has no 42 in it.
        let typed = Input::Typed("test -t 0 && echo terminal-$((6*7)); exit 5\n");
        let done = self.ssh.finish(command, &typed, PATIENCE)?;
        if done.code == Some(5) && !done.text().contains("terminal-42") {
            return Ok(Report::fail(
                CHECK,
                "the shell has no terminal",
                "sshd's PermitTTY must be yes: podspawn doctor",
            ));
        }
        Ok(self.judge(CHECK, &done, 5, || "a login shell has a terminal of the container's".to_owned()))
    }

    pub(super) fn exit_code(&self) -> Line {
        let done = self.ssh.run("exit 42")?;
        Ok(self.judge("prove-exit-code", &done, 42, || "exit 42 ends with 42".to_owned()))
    }

    /// The client gets the signal that ended a process.
    pub(super) fn signal(&self) -> Line {
        const CHECK: &str = "prove-signal";
        let command = self.ssh.ssh(&["-T", "-o", "LogLevel=DEBUG1"], Some("kill -TERM $$"))?;
        let done = self.ssh.finish(command, &Input::Nothing, PATIENCE)?;
        Ok(if done.err.contains("exit-signal") {
            Report::pass(CHECK, "a process that SIGTERM ends is reported as such")
        } else {
            let seen = format!("SIGTERM was not reported: ssh ended with {:?}", done.code);
            Report::fail(CHECK, seen, "another ForceCommand than podspawn's? podspawn doctor")
        })
    }

    /// The end of a client hangs up what it ran.
    pub(super) fn hang_up(&self) -> Line {
        const CHECK: &str = "prove-hang-up";
        // Without the first trap, its last line to a pipe without a reader would end it.
        let remote = "f=$HOME/.prove-hang-up; trap '' PIPE; trap 'echo hung-up >\"$f\"; exit' HUP; \
                      echo ready; while :; do sleep 1; done";
        match self.ssh.hold(remote)? {
            Ok((client, _)) => client.kill(),
            Err(done) => return Ok(self.refused(CHECK, &done)),
        }
        let began = Instant::now();
        while began.elapsed() < HANG_UP && !self.interrupt.is_hit() {
            if self.ssh.run("cat ~/.prove-hang-up 2>/dev/null")?.text().contains("hung-up") {
                return Ok(Report::pass(CHECK, "a process is hung up when its client has gone"));
            }
            thread::sleep(Duration::from_millis(200));
        }
        let seen = format!("a process goes on {} s after its client has gone", HANG_UP.as_secs());
        Ok(Report::fail(CHECK, seen, "journalctl -u podspawn-broker"))
    }

    /// All bytes come back as they were sent, and nothing beside them.
    pub(super) fn pipes(&self) -> Line {
        const CHECK: &str = "prove-pipes";
        let sent = self.random("sent")?;
        let command = self.ssh.ssh(&["-T"], Some("cat; echo apart >&2"))?;
        let done = self.ssh.finish(command, &Input::File(&self.work_dir.file("sent")), PATIENCE)?;
        let apart = done.err.lines().eq(["apart"]);
        Ok(match (done.code, done.out == sent, apart) {
            (Some(0), true, true) => {
                Report::pass(CHECK, format!("{} bytes came back as they were sent ({})", SENT, hash(&sent)))
            }
            (Some(0), false, _) => {
                let seen = format!(
                    "{} bytes ({}) were sent, and {} ({}) came back",
                    SENT,
                    hash(&sent),
                    done.out.len(),
                    hash(&done.out)
                );
                Report::fail(CHECK, seen, "something writes to every shell: the image's /etc/bash.bashrc, or BASH_ENV")
            }
            (Some(0), true, false) => {
                Report::fail(CHECK, format!("standard error is not its own: {}", done.complaint()), "")
            }
            _ => self.refused(CHECK, &done),
        })
    }

    pub(super) fn sftp(&self) -> Line {
        const CHECK: &str = "prove-sftp";
        let sent = self.random("put")?;
        let done = self.ssh.sftp("put put .prove-sftp\nget .prove-sftp got\nrm .prove-sftp\n")?;
        let got = fs::read(self.work_dir.file("got")).unwrap_or_default();
        if done.code == Some(0) && got != sent {
            let seen = format!("{} bytes ({}) were put, and {} ({}) got", SENT, hash(&sent), got.len(), hash(&got));
            return Ok(Report::fail(CHECK, seen, "run podspawn verify-image to see which sftp-server serves it"));
        }
        Ok(self.judge(CHECK, &done, 0, || format!("{} bytes were put and got as they were ({})", SENT, hash(&sent))))
    }

    /// An agent of the client answers in the container, with its key.
    pub(super) fn agent(&self) -> Line {
        const CHECK: &str = "prove-agent";
        for name in ["ssh-agent", "ssh-add"] {
            if program::find(name).is_none() {
                let seen = format!("not tried: there is no {name} on this host");
                return Ok(Report::warn(
                    CHECK,
                    seen,
                    "install OpenSSH's client (Debian: apt-get install openssh-client)",
                ));
            }
        }
        let socket = self.work_dir.file("agent");
        let mut agent = self.ssh.command("ssh-agent")?;
        agent.arg("-D").arg("-a").arg(&socket);
        // It ends when this function does.
        let _agent = self.ssh.start(agent, Stdio::null())?;
        let began = Instant::now();
        while !socket.exists() {
            anyhow::ensure!(began.elapsed() < PATIENCE && !self.interrupt.is_hit(), "ssh-agent does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        let mut add = self.ssh.command("ssh-add")?;
        add.env("SSH_AUTH_SOCK", &socket).arg("-q").arg(self.account.key());
        let added = self.ssh.finish(add, &Input::Nothing, PATIENCE)?;
        anyhow::ensure!(added.code == Some(0), "ssh-add: {}", added.complaint());
        // The guest asks the agent: not every image has ssh-add.
        let mut command = self.ssh.ssh(&["-T", "-A"], Some(&format!("{GUEST_BINARY} guest --agent")))?;
        command.env("SSH_AUTH_SOCK", &socket);
        let done = self.ssh.finish(command, &Input::Nothing, PATIENCE)?;
        Ok(if done.text().lines().eq([self.account.blob()]) {
            Report::pass(CHECK, "ssh -A: the agent answers inside, with its key")
        } else {
            let remedy = "sshd's AllowAgentForwarding must be yes for group podspawn, and DisableForwarding no";
            Report::fail(CHECK, format!("ssh -A: no agent answers inside: {}", done.complaint()), remedy)
        })
    }

    /// Writes a file of random bytes, and returns them.
    fn random(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; SENT];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        fs::write(self.work_dir.file(name), &bytes)?;
        Ok(bytes)
    }
}

/// The beginning of the SHA-256: enough to see that two differ.
fn hash(bytes: &[u8]) -> String {
    format!("sha256 {}", hex(&Sha256::digest(bytes)[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_bytes() {
        assert_eq!(hash(b""), "sha256 e3b0c44298fc");
        assert_ne!(hash(b"a"), hash(b"b"));
    }
}
