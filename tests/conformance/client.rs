//! OpenSSH's clients, run to their end or held while something happens.

use crate::bench::{DEADLINE, User};
use std::{
    ffi::OsStr,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A process that has ended.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A transfer of megabytes that failed should not be printed whole.
        write!(f, "exit code {:?}, stdout {:.2000?}, stderr {:.2000?}", self.code, self.text(), self.errors())
    }
}

impl Finished {
    /// Runs `command` with `input` on its standard input, to its end.
    #[track_caller]
    pub(crate) fn of(command: &mut Command, input: &[u8]) -> Self {
        let mut process = Process::start(command);
        process.send(input.to_vec());
        process.finish()
    }

    /// Standard output.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard error.
    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// Standard output without its last newline, of a process that must have succeeded without a word of complaint.
    #[track_caller]
    pub(crate) fn success(&self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.text(), self.errors());
        self.text().trim_end_matches('\n').to_owned()
    }

    /// As [`Self::success`], and nothing on standard error.
    #[track_caller]
    pub(crate) fn quiet_success(&self) -> String {
        assert_eq!(self.errors(), "", "stdout: {}", self.text());
        self.success()
    }
}

/// A process that runs.
pub(crate) struct Process {
    child: Child,
    /// `None` where the caller reads its output.
    out: Option<Reader>,
    err: Option<Reader>,
}

/// Collects a stream in a thread.
type Reader = JoinHandle<Vec<u8>>;

fn collect(mut stream: impl Read + Send + 'static) -> Reader {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

impl Process {
    /// Starts `command`; its output is collected, its input stays open.
    pub(crate) fn start(command: &mut Command) -> Self {
        let (mut process, out) = Self::start_with_output(command);
        process.out = Some(collect(out));
        process
    }

    /// Starts `command`; the caller reads its output.
    pub(crate) fn start_with_output(command: &mut Command) -> (Self, ChildStdout) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = child.stdout.take().unwrap();
        let err: ChildStderr = child.stderr.take().unwrap();
        (Self { child, out: None, err: Some(collect(err)) }, out)
    }

    /// Starts `command` on an input of its own; its output is collected.
    pub(crate) fn start_with_input(command: &mut Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Self { child, out: Some(out), err: Some(err) }
    }

    /// Sends `input` and closes the stream, in the background. A process that does not read it is not waited for.
    pub(crate) fn send(&mut self, input: Vec<u8>) {
        let mut stream = self.child.stdin.take().expect("the input is closed already");
        thread::spawn(move || {
            let _ = stream.write_all(&input);
        });
    }

    /// Kills it, as kill -9 does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Ends it with a signal that it can act on.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    #[track_caller]
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(DEADLINE)
    }

    /// Waits for the end; a process that does not come to it is a failure.
    #[track_caller]
    pub(crate) fn finish_within(mut self, patience: Duration) -> Finished {
        let end = Instant::now() + patience;
        let status: Option<ExitStatus> = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > end => break None,
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        if status.is_none() {
            let _ = self.child.kill();
        }
        let join = |reader: &mut Option<Reader>| reader.take().map(|reader| reader.join().unwrap()).unwrap_or_default();
        let (out, err) = (join(&mut self.out), join(&mut self.err));
        let Some(status) = status else {
            panic!(
                "does not end within {patience:?}; stdout: {} bytes: {:.500}\nstderr: {:.500}",
                out.len(),
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(&err)
            );
        };
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Finished { code, out, err }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl User<'_> {
    /// `PROGRAM -F config`: a client of OpenSSH's that knows the bench, and nothing of the account that runs the tests.
    pub(crate) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-F").arg(self.bench.file("ssh_config"));
        // The default one (sntrup761) costs five times the processor time of all else that a login here needs.
        command.args(["-o", "KexAlgorithms=curve25519-sha256"]);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("HOME", "/nonexistent");
        command
    }

    /// `ssh OPTIONS USER`, ready for a command.
    pub(crate) fn ssh(&self, options: &[&str]) -> Command {
        let mut command = self.client("ssh");
        command.args(options).arg(&self.name);
        command
    }

    /// Runs a command through ssh, without a terminal and with an empty input.
    #[track_caller]
    pub(crate) fn run(&self, command: impl AsRef<OsStr>) -> Finished {
        self.run_with(&[], command, b"")
    }

    /// Runs a command through ssh, without a terminal.
    #[track_caller]
    pub(crate) fn run_with(&self, options: &[&str], command: impl AsRef<OsStr>, input: &[u8]) -> Finished {
        Finished::of(self.ssh(options).arg(command), input)
    }

    /// Starts a command through ssh and returns when it has printed `ready`.
    #[track_caller]
    pub(crate) fn start(&self, options: &[&str], command: &str) -> Process {
        let (mut process, mut out) = Process::start_with_output(self.ssh(options).arg(command));
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"ready\n") {
            if out.read(&mut byte).unwrap() == 0 {
                let ended = process.finish();
                panic!("ended before it was ready: {ended:?}, {:?}", String::from_utf8_lossy(&line));
            }
            line.push(byte[0]);
        }
        process.out = Some(collect(out));
        process
    }
}
