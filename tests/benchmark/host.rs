//! The bench host: its accounts for the benchmark, logins to it, and this program running on it.

use crate::inside;
use anyhow::{Context as _, Result, bail, ensure};
use serde::de::DeserializeOwned;
use std::{
    env,
    ffi::OsStr,
    fs,
    fs::File,
    io::{BufRead, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// An ordinary account on the same sshd.
pub(crate) const PLAIN: &str = "plain";
/// An ordinary account whose forced command is `docker exec`.
pub(crate) const RELAY: &str = "relay";
/// The container that [`RELAY`] enters.
pub(crate) const RELAY_TARGET: &str = "relay-target";
/// A podspawn user; a [`Held`] login keeps its container while it is measured.
pub(crate) const WARM: &str = "perf";
/// A podspawn user that meets no container at any login.
pub(crate) const COLD: &str = "perf-cold";
/// How many users log in at once.
pub(crate) const MANY: u32 = 50;
/// What every container here is made of; the bench's configuration says the same.
pub(crate) const IMAGE: &str = "podspawn-workload:latest";

/// This program on the bench host.
const PROGRAM: &str = "/run/podspawn-perf";

/// The users that come all at once.
pub(crate) fn many() -> impl Iterator<Item = String> {
    (1..=MANY).map(|number| format!("perf-{number:02}"))
}

/// Every podspawn user of the benchmark. Their containers go with the last connection, so nothing of them stays.
fn users() -> impl Iterator<Item = String> {
    [WARM.to_owned(), COLD.to_owned()].into_iter().chain(many())
}

/// Their names, a line each.
fn names() -> String {
    users().fold(String::new(), |names, user| names + &user + "\n")
}

/// The bench host, ready; what was made for the benchmark goes when this is dropped.
pub(crate) struct Host {
    script: PathBuf,
    directory: PathBuf,
}

impl Host {
    pub(crate) fn prepare() -> Result<Self> {
        let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bench");
        let script = env::var_os("PODSPAWN_BENCH").map_or_else(default, PathBuf::from);
        let printed =
            Command::new(&script).arg("path").output().with_context(|| format!("running {}", script.display()))?;
        let directory = PathBuf::from(String::from_utf8(printed.stdout)?.trim_end());
        ensure!(directory.join("ssh_config").exists(), "no bench host is up: tests/bench up --release");
        let host = Self { script, directory };
        host.clean();
        host.install()?;
        host.make_users()?;
        host.exec(["docker", "run", "--detach", "--init", "--name", RELAY_TARGET, IMAGE, "sleep", "infinity"], "")?;
        Ok(host)
    }

    /// Brings this program there.
    fn install(&self) -> Result<()> {
        let own = File::open(env::current_exe()?).context("opening this program")?;
        let script = format!("cat >{PROGRAM}.new && chmod 755 {PROGRAM}.new && mv {PROGRAM}.new {PROGRAM}");
        let output = self.command(["sh", "-c", &script]).stdin(own).output()?;
        checked("installing the benchmark", &output)
    }

    fn make_users(&self) -> Result<()> {
        let key = self.directory.join("id_ed25519.pub");
        let key = fs::read_to_string(&key).with_context(|| format!("reading {}", key.display()))?;
        let script = "users=$(cat)
             printf 'podspawn %s\\n' $users | bench-users \"$1\"
             for user in $users; do echo 'mode: destroy-on-disconnect' >/etc/podspawn/users/$user.yaml; done";
        self.exec(["sh", "-c", script, "sh", key.trim_end()], &names())
    }

    /// Removes whatever this or an earlier run made.
    fn clean(&self) {
        let script = format!(
            "docker rm --force {RELAY_TARGET} >/dev/null 2>&1
             while read -r user; do
                 rm -f /etc/podspawn/users/$user.yaml /etc/podspawn/keys/$user
                 if id $user >/dev/null 2>&1; then userdel $user; fi
             done
             rm -f {PROGRAM}
             true"
        );
        if let Err(error) = self.exec(["sh", "-c", &script], &names()) {
            eprintln!("perf: cleaning up: {error:#}");
        }
    }

    /// A command as root on the bench host.
    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.script);
        command.arg("exec").arg("--").args(arguments);
        command
    }

    /// Runs a command as root on the bench host.
    fn exec<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: &str) -> Result<()> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("running tests/bench")?;
        child.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
        checked("a command on the bench host", &child.wait_with_output()?)
    }

    /// Runs a task of [`inside`] there, and returns its result.
    pub(crate) fn inside<T: DeserializeOwned>(&self, task: &inside::Task) -> Result<T> {
        let task = serde_json::to_string(task)?;
        let output = self
            .command([PROGRAM, inside::VERB, &task])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("running tests/bench")?;
        ensure!(output.status.success(), "on the bench host: {}", output.status);
        serde_json::from_slice(&output.stdout).context("the result from the bench host")
    }

    /// OpenSSH's client as `user`.
    pub(crate) fn ssh(&self, user: &str, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        // One alias for all: only the user differs.
        ssh.arg("-F").arg(self.directory.join("ssh_config")).args(["-o", &format!("User={user}"), PLAIN, command]);
        ssh
    }

    /// OpenSSH's sftp as `user`; the batch comes on stdin.
    pub(crate) fn sftp(&self, user: &str) -> Command {
        let mut sftp = Command::new("sftp");
        sftp.arg("-q").arg("-F").arg(self.directory.join("ssh_config"));
        sftp.args(["-o", &format!("User={user}"), "-b", "-", PLAIN]);
        sftp
    }

    /// How long `ssh` takes from start to exit.
    pub(crate) fn login(&self, user: &str) -> Result<Duration> {
        timed(self.ssh(user, "true").stdin(Stdio::null()))
    }

    /// Logs in and stays.
    pub(crate) fn hold(&self, user: &str) -> Result<Held> {
        Held::begin(self.ssh(user, "hostname; exec cat"))?.answered()
    }

    /// The installed podspawn and the broker that runs: the same from begin to end, or the figures are of two.
    pub(crate) fn podspawn(&self) -> Result<String> {
        let script = "sha256sum /usr/bin/podspawn | cut -c1-16; systemctl show -P MainPID podspawn-broker.service";
        let output = self.command(["sh", "-c", script]).stdin(Stdio::null()).output().context("running tests/bench")?;
        checked("looking at podspawn", &output)?;
        Ok(String::from_utf8(output.stdout)?.split_whitespace().collect::<Vec<_>>().join(", broker "))
    }

    /// Waits until none of `users` has a session.
    pub(crate) fn wait_gone(&self, users: impl IntoIterator<Item = String>) -> Result<()> {
        self.inside(&inside::Task::Gone { users: users.into_iter().collect() })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.clean();
    }
}

/// Runs a command to its end; it has to succeed.
pub(crate) fn timed(command: &mut Command) -> Result<Duration> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let output = command.spawn().and_then(Child::wait_with_output).context("running ssh")?;
    let time = begin.elapsed();
    checked("a login", &output)?;
    Ok(time)
}

fn checked(what: &str, output: &Output) -> Result<()> {
    if !output.status.success() {
        bail!("{what}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

/// A login that has answered with one line and ends on order.
pub(crate) struct Held {
    child: Child,
    /// What it said.
    pub(crate) answer: String,
}

impl Held {
    /// Starts `command`, which says a line and then reads its stdin to the end.
    pub(crate) fn begin(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Self { child, answer: String::new() })
    }

    /// Waits for the line.
    pub(crate) fn answered(mut self) -> Result<Self> {
        let stdout = self.child.stdout.as_mut().context("no stdout")?;
        BufReader::new(stdout).read_line(&mut self.answer)?;
        if !self.answer.ends_with('\n') {
            return Err(self.end().err().unwrap_or_else(|| anyhow::anyhow!("a login said nothing")));
        }
        Ok(self)
    }

    /// Ends it, as it should end.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        checked("a login", &self.child.wait_with_output()?)
    }
}
