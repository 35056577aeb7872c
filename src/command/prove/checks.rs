//! What is tried, in the order in which one needs the other: a key, a login, and what people do once they are in.

use super::{
    Interrupt,
    client::{Done, Input, Running, Ssh},
    place::Place,
    said,
    traveller::Traveller,
};
use crate::{
    accounts::Accounts,
    command::auth_keys::configured_key_dir,
    doctor::Report,
    protocol::guest::GUEST_BINARY,
    sys::program::{self, Identity},
};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::Read as _,
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long anything may take once somebody is in.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may go on after its client has gone; the guest kills after five seconds.
const HANG_UP: Duration = Duration::from_secs(10);
/// What is sent through the pipes, in bytes: more than any buffer on the way.
const SENT: usize = 1024 * 1024;
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
            Report::fail("prove-sshd", format!("{error:#}"), "podspawn doctor; systemctl status ssh")
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
            let line = check(self).unwrap_or_else(|error| Report::fail(name, format!("{error:#}"), ""));
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
            Err(error) => Err(Report::fail(CHECK, format!("{error:#}"), remedy)),
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
            Err(error) => Err(Report::fail(CHECK, format!("{error:#}"), "")),
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

    fn second_login(&self) -> Line {
        let done = self.ssh.run("exit 0")?;
        Ok(self.judge("prove-second-login", &done, 0, || format!("in after {}", seconds(done.took))))
    }

    /// A login shell on a terminal of the container.
    fn terminal(&self) -> Line {
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

    fn exit_code(&self) -> Line {
        let done = self.ssh.run("exit 42")?;
        Ok(self.judge("prove-exit-code", &done, 42, || "exit 42 ends with 42".to_owned()))
    }

    /// A process that is killed is told to be.
    fn signal(&self) -> Line {
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

    /// A client that goes away ends what it ran.
    fn hang_up(&self) -> Line {
        const CHECK: &str = "prove-hang-up";
        // Without the first trap its own last word to a pipe that nobody reads would end it.
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

    /// Bytes of every kind come back as they were sent, and nothing among them.
    fn pipes(&self) -> Line {
        const CHECK: &str = "prove-pipes";
        let sent = self.random("sent")?;
        let command = self.ssh.ssh(&["-T"], Some("cat; echo apart >&2"))?;
        let done = self.ssh.finish(command, &Input::File(&self.place.file("sent")), PATIENCE)?;
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

    fn sftp(&self) -> Line {
        const CHECK: &str = "prove-sftp";
        let sent = self.random("put")?;
        let done = self.ssh.sftp("put put .prove-sftp\nget .prove-sftp got\nrm .prove-sftp\n")?;
        let got = fs::read(self.place.file("got")).unwrap_or_default();
        if done.code == Some(0) && got != sent {
            let seen = format!("{} bytes ({}) were put, and {} ({}) got", SENT, hash(&sent), got.len(), hash(&got));
            return Ok(Report::fail(CHECK, seen, "podspawn verify-image tells whose sftp-server it is"));
        }
        Ok(self.judge(CHECK, &done, 0, || format!("{} bytes were put and got as they were ({})", SENT, hash(&sent))))
    }

    /// The agent here answers there, with the key that it has.
    fn agent(&self) -> Line {
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
        let socket = self.place.file("agent");
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
        add.env("SSH_AUTH_SOCK", &socket).arg("-q").arg(self.traveller.key());
        let added = self.ssh.finish(add, &Input::Nothing, PATIENCE)?;
        anyhow::ensure!(added.code == Some(0), "ssh-add: {}", added.complaint());
        // The guest's own question: not every image has ssh-add.
        let mut command = self.ssh.ssh(&["-T", "-A"], Some(&format!("{GUEST_BINARY} guest --agent")))?;
        command.env("SSH_AUTH_SOCK", &socket);
        let done = self.ssh.finish(command, &Input::Nothing, PATIENCE)?;
        Ok(if done.text().lines().eq([self.traveller.blob()]) {
            Report::pass(CHECK, "ssh -A: the agent answers inside, with its key")
        } else {
            let remedy = "sshd's AllowAgentForwarding must be yes for group podspawn, and DisableForwarding no";
            Report::fail(CHECK, format!("ssh -A: no agent answers inside: {}", done.complaint()), remedy)
        })
    }

    /// A line by the exit code.
    fn judge(&self, check: &'static str, done: &Done, wanted: i32, good: impl FnOnce() -> String) -> Report {
        if done.code == Some(wanted) { Report::pass(check, good()) } else { self.refused(check, done) }
    }

    /// A file of random bytes, and what is in it.
    fn random(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; SENT];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        fs::write(self.place.file(name), &bytes)?;
        Ok(bytes)
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

/// The beginning of the SHA-256, enough to tell two apart.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).fold("sha256 ".to_owned(), |text, byte| format!("{text}{byte:02x}"))
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
        assert!(hash(b"").starts_with("sha256 e3b0c44298fc"));
    }
}
