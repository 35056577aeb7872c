//! A connection of a user: one of OpenSSH's clients, doing something whose end can be distinguished from a wrong one.

use crate::{bench::User, pipes::Pipes, random::Random, terminal::Terminal};
use rustix::process::Signal;
use std::{
    fs,
    process::Command,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A file that every container has, and that is large enough to be under way for a moment.
const REMOTE: &str = "/usr/bin/git";
/// Bandwidth of a transfer, in Kbit/s: without a limit it would be over before anything happens.
const BANDWIDTH: &str = "24000";
/// How long a login may take on a busy machine.
const LOGIN: Duration = Duration::from_secs(60);
/// How long a connection that lives may take to show it.
const ANSWER: Duration = Duration::from_secs(15);
/// How long an ordinary end may take.
const END: Duration = Duration::from_secs(30);
/// Ticks, so that a gap would show; ends with 7 on the order to end, and with 8 when its input ends without it.
const COMMAND: &str = "i=0; echo ready; while :; do read -t 0.1 x; \
    case $? in 0) exit 7;; 1) exit 8;; esac; i=$((i+1)); echo $i; done";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A shell on a terminal.
    Shell,
    /// A command that prints all the time.
    Command,
    /// One that says nothing unless spoken to.
    Idle,
    /// A file there and back.
    Sftp,
    /// A file from there.
    Scp,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Shell, Self::Command, Self::Idle, Self::Sftp, Self::Scp];

    /// Whether it ends by itself.
    pub(crate) fn is_transfer(self) -> bool {
        matches!(self, Self::Sftp | Self::Scp)
    }
}

/// How a client ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) said: String,
}

enum Client {
    Terminal(Option<Terminal>),
    Pipes(Pipes),
}

pub(crate) struct Connection {
    pub(crate) kind: Kind,
    pub(crate) user: String,
    directory: TempDir,
    client: Client,
    ended: Option<Ended>,
    /// Distinguishes one proof of life from another.
    proofs: u32,
}

impl Connection {
    /// Starts a client; nothing is waited for.
    pub(crate) fn begin(user: &User<'static>, project: Option<&str>, kind: Kind, random: &mut Random) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let set = project.map(|project| format!("SetEnv=PODSPAWN_PROJECT={project}"));
        let options = |command: &mut Command| {
            // A host that was switched off says nothing.
            command.args(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4"]);
            if let Some(set) = &set {
                command.args(["-o", set]);
            }
        };
        let client = match kind {
            Kind::Shell => {
                let mut ssh = user.client("ssh");
                options(ssh.env("TERM", "xterm"));
                let terminal = Terminal::open(ssh.arg("-tt").arg(&user.name), 24, 80);
                terminal.send("bind 'set enable-bracketed-paste off'; PS1='>''> '\n");
                Client::Terminal(Some(terminal))
            }
            Kind::Command | Kind::Idle => {
                let mut ssh = user.client("ssh");
                options(&mut ssh);
                let command = if kind == Kind::Command { COMMAND } else { "echo ready; exec cat" };
                Client::Pipes(Pipes::start(ssh.arg(&user.name).arg(command)))
            }
            Kind::Sftp => {
                let size = 500_000 + usize::try_from(random.below(4_000_000)).unwrap();
                fs::write(directory.path().join("large"), random.bytes(size)).unwrap();
                let mut sftp = user.client("sftp");
                options(&mut sftp);
                sftp.args(["-l", BANDWIDTH, "-b", "-"]).arg(&user.name).current_dir(directory.path());
                let mut pipes = Pipes::start(&mut sftp);
                // Several at once in one home.
                let there = format!("there{}", random.below(1 << 40));
                pipes.say(&format!("put large {there}\nget {there} back\nrm {there}\n"));
                pipes.stdin = None;
                Client::Pipes(pipes)
            }
            Kind::Scp => {
                let mut scp = user.client("scp");
                options(&mut scp);
                if random.chance(50) {
                    scp.arg("-O");
                }
                let from = format!("{}:{REMOTE}", user.name);
                scp.args(["-l", BANDWIDTH, &from, "back"]).current_dir(directory.path());
                Client::Pipes(Pipes::start(&mut scp))
            }
        };
        Self { kind, user: user.name.clone(), directory, client, ended: None, proofs: 0 }
    }

    /// How the client ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<&Ended> {
        if self.ended.is_none() {
            self.ended = match &mut self.client {
                Client::Pipes(pipes) => pipes.ended(),
                Client::Terminal(terminal) => {
                    let over = terminal.as_mut().is_some_and(Terminal::has_ended);
                    terminal.take_if(|_| over).map(|terminal| {
                        let (code, said) = terminal.finish();
                        Ended { code, said }
                    })
                }
            };
        }
        self.ended.as_ref()
    }

    /// Everything that came out so far.
    fn shown(&self) -> String {
        match &self.client {
            Client::Terminal(Some(terminal)) => terminal.shown(),
            Client::Terminal(None) => String::new(),
            Client::Pipes(pipes) => pipes.shown(),
        }
    }

    fn is_in(&self) -> bool {
        match self.kind {
            Kind::Shell => self.shown().contains(">> "),
            Kind::Command | Kind::Idle => self.shown().starts_with("ready\n"),
            Kind::Sftp => self.shown().contains("sftp> "),
            Kind::Scp => fs::metadata(self.directory.path().join("back")).is_ok_and(|file| file.len() > 0),
        }
    }

    /// Waits until the login has succeeded, or the client has ended. An error is a client that does neither.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.wait(LOGIN, "does not get in", |one| one.is_in() || one.ended().is_some())
    }

    /// Waits until the client has ended.
    pub(crate) fn settle_end(&mut self) -> Result<(), String> {
        self.wait(END, "does not end", |one| one.ended().is_some())
    }

    /// Has one who is in show that everything flows.
    pub(crate) fn prove(&mut self) -> Result<(), String> {
        self.proofs += 1;
        let number = self.proofs;
        match self.kind {
            Kind::Shell => {
                self.say(&format!("echo shell:$(({number} + 40)):\n"));
                let answer = format!("shell:{}:", number + 40);
                self.wait(ANSWER, "a shell does not answer", |one| one.shown().contains(&answer))
            }
            Kind::Idle => {
                self.say(&format!("proof {number}\n"));
                let answer = format!("proof {number}\n");
                self.wait(ANSWER, "no echo comes", |one| one.shown().contains(&answer))
            }
            Kind::Command => {
                let before = self.shown().len();
                self.wait(ANSWER, "a command does not go on", |one| one.shown().len() > before)
            }
            // Its end is the proof.
            Kind::Sftp | Kind::Scp => Ok(()),
        }
    }

    /// Orders the program to end, and waits for nothing.
    pub(crate) fn leave(&mut self) {
        match (self.kind, &mut self.client) {
            (Kind::Shell, _) => self.say("exit 6\n"),
            (Kind::Command, _) => self.say("end\n"),
            (Kind::Idle, Client::Pipes(pipes)) => pipes.stdin = None,
            _ => {}
        }
    }

    /// Whether the end is the one that it should have been, ordered or by itself.
    pub(crate) fn good_end(&mut self) -> Result<(), String> {
        let kind = self.kind;
        let Some(ended) = self.ended().cloned() else { return Err(self.complaint("has not ended")) };
        let code = match kind {
            Kind::Shell => 6,
            Kind::Command => 7,
            Kind::Idle | Kind::Sftp | Kind::Scp => 0,
        };
        if ended.code != code {
            return Err(self.complaint(&format!("should end with {code}")));
        }
        let back = || fs::read(self.directory.path().join("back")).unwrap_or_default();
        let whole = match kind {
            Kind::Sftp => back() == fs::read(self.directory.path().join("large")).unwrap_or_default(),
            Kind::Scp => &back() == REFERENCE.get().unwrap(),
            Kind::Command => {
                let shown = self.shown();
                let mut numbers = shown.lines().skip(1).zip(1..);
                numbers.all(|(line, number): (&str, u32)| line == number.to_string())
            }
            Kind::Shell | Kind::Idle => true,
        };
        if whole { Ok(()) } else { Err(self.complaint("something is missing in what came")) }
    }

    /// What is said about this connection when something is wrong with it.
    pub(crate) fn complaint(&mut self, what: &str) -> String {
        let end = match self.ended().cloned() {
            Some(Ended { code, said }) => format!("ended with {code}: {:.300?}", said.trim()),
            None => format!("lives, has shown {:.300?}", self.shown()),
        };
        format!("{:?} of {}: {what}: {end}", self.kind, self.user)
    }

    /// Sends the client a signal, as a user with kill(1) does.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.ended().is_some() {
            return;
        }
        match &self.client {
            Client::Terminal(Some(terminal)) => terminal.signal(signal),
            Client::Pipes(pipes) => pipes.signal(signal),
            Client::Terminal(None) => {}
        }
    }

    fn say(&mut self, text: &str) {
        match &mut self.client {
            Client::Terminal(Some(terminal)) => terminal.send(text),
            Client::Pipes(pipes) => pipes.say(text),
            Client::Terminal(None) => {}
        }
    }

    fn wait(&mut self, patience: Duration, what: &str, mut check: impl FnMut(&mut Self) -> bool) -> Result<(), String> {
        let end = Instant::now() + patience;
        while !check(self) {
            if Instant::now() > end {
                return Err(self.complaint(what));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// What [`Kind::Scp`] has to bring.
static REFERENCE: OnceLock<Vec<u8>> = OnceLock::new();

/// Reads what transfers are held against.
pub(crate) fn learn_reference(bench: &crate::bench::Bench) {
    let image = "podspawn-workload:latest";
    let done = bench.bash(&[], &format!("docker run --rm --entrypoint /bin/cat {image} {REMOTE}"));
    assert!(done.code == Some(0) && done.out.len() > 500_000, "{done:?}");
    let _ = REFERENCE.set(done.out);
}
