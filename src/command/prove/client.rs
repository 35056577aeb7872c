//! OpenSSH's client, without the configuration and agent of the user who runs `doctor`, and with the host keys in this
//! host's own files only.

use super::{interrupt::Interrupt, test_account::TestAccount, work_dir::WorkDir};
use crate::{
    sshd::{self, Connection, Sshd, greeting, serving},
    sys::{
        child::{self, complaint, no_output},
        program,
        systemd::Systemctl,
    },
};
use anyhow::Context as _;
use std::{
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long one login may take: the first may pull an image.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long systemd may take.
const SYSTEMD: Duration = Duration::from_secs(5);
/// Largest output that is waited for, in bytes; the largest one that is expected is a sixtieth of it.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;
/// Between two looks at a process.
const TICK: Duration = Duration::from_millis(5);

/// What a client printed, and how it ended.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Its exit code; `None` if it did not come to an end.
    pub(super) code: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) err: String,
    pub(super) took: Duration,
}

impl Done {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Its message about a failure, on one line.
    pub(super) fn complaint(&self) -> String {
        complaint(&self.err).unwrap_or_else(|| match self.code {
            Some(code) => no_output(code),
            None => format!("it did not end within {} s", self.took.as_secs()),
        })
    }
}

/// Clients of one account.
pub(super) struct Ssh<'a> {
    work_dir: &'a WorkDir,
    interrupt: &'a Interrupt,
    options: Vec<String>,
    /// Where sshd listens.
    pub(super) address: SocketAddr,
}

/// A client's standard input.
pub(super) enum Input<'a> {
    Nothing,
    File(&'a Path),
    /// This, and then no end of it until the client has ended.
    Typed(&'a str),
}

impl<'a> Ssh<'a> {
    /// Finds out where sshd listens, and which keys it has to show.
    pub(super) fn find(work_dir: &'a WorkDir, account: &TestAccount, interrupt: &'a Interrupt) -> anyhow::Result<Self> {
        let connection = Connection::new(account.name().to_string(), "127.0.0.1");
        let options = Sshd::find(None)?.effective(Path::new(sshd::CONFIG), &connection)?;
        let found = Systemctl::find().and_then(|tool| serving::find(&tool, &serving::UNITS, SYSTEMD).ok());
        let listens = found.map_or_else(|| serving::listen_addresses(&options), |found| found.addresses(&options));
        // One of several may be of a family that this host has no address of.
        let answers = listens.iter().find(|address| greeting::greets(**address)).copied();
        let address = answers.with_context(|| format!("no sshd answers where it should listen: {listens:?}"))?;
        let known: Vec<String> = options.words("hostkey").filter_map(|path| public(Path::new(path))).collect();
        anyhow::ensure!(!known.is_empty(), "no host key of sshd's can be read: ssh-keygen -A makes them");
        let hosts = work_dir.file("known_hosts");
        fs::write(&hosts, known.concat())?;
        let mut words = vec!["-F".to_owned(), "none".to_owned()];
        let pairs = [
            ("BatchMode", "yes".to_owned()),
            ("User", account.name().to_string()),
            ("HostName", address.ip().to_string()),
            ("Port", address.port().to_string()),
            ("IdentityFile", account.key().display().to_string()),
            ("IdentitiesOnly", "yes".to_owned()),
            ("PreferredAuthentications", "publickey".to_owned()),
            ("StrictHostKeyChecking", "yes".to_owned()),
            ("HostKeyAlias", ALIAS.to_owned()),
            ("UserKnownHostsFile", hosts.display().to_string()),
            ("GlobalKnownHostsFile", "/dev/null".to_owned()),
            ("UpdateHostKeys", "no".to_owned()),
            ("ControlPath", "none".to_owned()),
            ("ConnectTimeout", "15".to_owned()),
            ("LogLevel", "ERROR".to_owned()),
        ];
        words.extend(pairs.into_iter().flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={value}")]));
        Ok(Self { work_dir, interrupt, options: words, address })
    }

    /// A client of OpenSSH's with its options, ready for more.
    pub(super) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(program::find(program).with_context(|| format!("there is no {program}"))?);
        let home = self.work_dir.file("");
        command.env_clear().env("LC_ALL", "C").env("HOME", &home).env("PATH", "/usr/bin:/bin").current_dir(&home);
        // A signal of the terminal is for doctor alone, and clients end with it.
        program::die_with_us(command.process_group(0));
        Ok(command)
    }

    /// `ssh OPTIONS HOST COMMAND`; without a command a shell.
    pub(super) fn ssh(&self, options: &[&str], remote: Option<&str>) -> anyhow::Result<Command> {
        let mut command = self.command("ssh")?;
        // ssh takes the first value of an option, so `options` come first.
        command.args(options).args(&self.options).arg(ALIAS).args(remote);
        Ok(command)
    }

    /// Runs a remote command with nothing to read.
    pub(super) fn run(&self, remote: &str) -> anyhow::Result<Done> {
        self.finish(self.ssh(&["-T"], Some(remote))?, &Input::Nothing, PATIENCE)
    }

    /// `sftp`, with these lines.
    pub(super) fn sftp(&self, lines: &str) -> anyhow::Result<Done> {
        let batch = self.work_dir.file("batch");
        fs::write(&batch, lines)?;
        let mut command = self.command("sftp")?;
        command.arg("-b").arg(&batch).arg("-q").args(&self.options).arg(ALIAS);
        self.finish(command, &Input::Nothing, PATIENCE)
    }

    /// Runs a client to its end, or until it takes too long or a signal arrives.
    pub(super) fn finish(&self, command: Command, input: &Input<'_>, patience: Duration) -> anyhow::Result<Done> {
        let stdin = match input {
            Input::Nothing => Stdio::null(),
            Input::File(path) => File::open(path)?.into(),
            Input::Typed(_) => Stdio::piped(),
        };
        let mut running = self.start(command, stdin)?;
        if let (Input::Typed(text), Some(stdin)) = (input, &mut running.stdin) {
            // A client that does not read it has ended; `finish` returns how.
            let _ = stdin.write_all(text.as_bytes());
        }
        running.finish(patience, self.interrupt)
    }

    /// Starts a client; its output goes to files.
    pub(super) fn start(&self, mut command: Command, stdin: Stdio) -> anyhow::Result<Running> {
        let number = self.work_dir.next();
        let (out, err) = (self.work_dir.file(&format!("out.{number}")), self.work_dir.file(&format!("err.{number}")));
        command.stdin(stdin).stdout(File::create(&out)?).stderr(File::create(&err)?);
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("running {}", command.get_program().display()))?;
        Ok(Running { stdin: child.stdin.take(), child: child::Running::new(child), out, err, began })
    }

    /// Starts a remote command and waits until it has printed `ready`; an error is how it ended instead.
    pub(super) fn hold(&self, remote: &str) -> anyhow::Result<Result<(Running, Duration), Done>> {
        let mut running = self.start(self.ssh(&["-T"], Some(remote))?, Stdio::piped())?;
        loop {
            if fs::read(&running.out).is_ok_and(|out| out.starts_with(b"ready\n")) {
                let took = running.began.elapsed();
                return Ok(Ok((running, took)));
            }
            if running.child.status()?.is_some() || running.began.elapsed() > PATIENCE || self.interrupt.is_hit() {
                return running.finish(Duration::ZERO, self.interrupt).map(Err);
            }
            thread::sleep(TICK);
        }
    }
}

/// The name by which the host's keys are known here, whatever its address.
const ALIAS: &str = "podspawn";

/// The line of a known host with the public half of the key at `path`.
fn public(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    let text = fs::read_to_string(PathBuf::from(name)).ok().or_else(|| derived(path))?;
    let mut words = text.split_whitespace();
    Some(format!("{ALIAS} {} {}\n", words.next()?, words.next()?))
}

/// The public half of a private key, for hosts that keep no file of it.
fn derived(path: &Path) -> Option<String> {
    let arguments = ["-y", "-P", "", "-f", &path.to_string_lossy()];
    let done = program::run(&program::find("ssh-keygen")?, &arguments, b"", Duration::from_secs(10)).ok()?;
    done.succeeded().then_some(done.out)
}

/// A client that runs. It ends when it is dropped.
pub(super) struct Running {
    child: child::Running,
    stdin: Option<ChildStdin>,
    out: PathBuf,
    err: PathBuf,
    began: Instant,
}

impl Running {
    fn finish(mut self, patience: Duration, interrupt: &Interrupt) -> anyhow::Result<Done> {
        let end = Instant::now() + patience;
        let is_flood = || fs::metadata(&self.out).is_ok_and(|about| about.len() > MAX_OUTPUT);
        let status = self.child.wait(end, TICK, || is_flood() || interrupt.is_hit())?;
        let code = status.map(|status| status.code().unwrap_or(255));
        let took = self.began.elapsed();
        let read = |path| fs::read(path).unwrap_or_default();
        let err = String::from_utf8_lossy(&read(&self.err)).into_owned();
        Ok(Done { code, out: read(&self.out), err, took })
    }

    /// Kills it, as an end of the network would.
    pub(super) fn kill(self) {
        drop(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_complaint_is_one_line() {
        let done = |code, err: &str| Done { code, err: err.into(), ..Done::default() };
        assert_eq!(done(Some(255), "podspawn: no\r\n\nbye\x1b[2J\n").complaint(), "podspawn: no; bye\u{fffd}[2J");
        assert_eq!(done(Some(3), "").complaint(), "it ended with 3 and printed nothing");
        assert_eq!(done(None, " ").complaint(), "it did not end within 0 s");
    }

    #[test]
    fn a_host_key_is_known_by_its_public_half_and_by_no_other_way() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("ssh_host_ed25519_key");
        fs::write(directory.path().join("ssh_host_ed25519_key.pub"), "ssh-ed25519 AAAA root@host\n").unwrap();
        assert_eq!(public(&key).as_deref(), Some("podspawn ssh-ed25519 AAAA\n"));
        assert_eq!(public(&directory.path().join("absent")), None);
        fs::remove_file(directory.path().join("ssh_host_ed25519_key.pub")).unwrap();
        let made = program::run(
            &program::find("ssh-keygen").unwrap(),
            &["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()],
            b"",
            Duration::from_secs(20),
        );
        assert!(made.unwrap().succeeded());
        fs::remove_file(directory.path().join("ssh_host_ed25519_key.pub")).unwrap();
        assert!(public(&key).unwrap().starts_with("podspawn ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"));
    }
}
