//! A program of the host, run to its end: bounded in time and in what it may print.
//!
//! Programs are found in fixed places and get an environment of ours: a search path could come from somebody else.

use super::ids;
use crate::domain::text::one_line;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Gid, Signal, Uid, set_parent_process_death_signal},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
        set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};
use std::{
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Where programs are, NixOS's place last: it is a link into the store, and there others are absent.
const PLACES: [&str; 7] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin"];
/// Most bytes of each output stream that are kept; `sshd -T` prints some KiB.
const MAX_BYTES: usize = 1024 * 1024;

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Finished {
    /// Whether it ended with 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// What it had to say, on one line: for a message.
    #[must_use]
    pub fn complaint(&self) -> String {
        let said = if self.err.trim().is_empty() { &self.out } else { &self.err };
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(5).collect();
        match (lines.is_empty(), self.code) {
            (false, _) => one_line(&lines.join("; ")),
            (true, Some(code)) => format!("it ended with {code} and said nothing"),
            (true, None) => "it was ended by a signal".to_owned(),
        }
    }
}

/// The program called `name`, if the host has it.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

/// Who a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All other groups.
    pub groups: Vec<u32>,
}

/// Runs `program` with `arguments` and `input` to its end; one that takes longer than `deadline` is killed.
pub fn run(program: &Path, arguments: &[&str], input: &[u8], deadline: Duration) -> io::Result<Finished> {
    finish(&mut Command::new(program), arguments, input, deadline)
}

/// As [`run`], as somebody else and in `/`: only root can.
pub fn run_as(
    identity: &Identity,
    program: &Path,
    arguments: &[&str],
    input: &[u8],
    deadline: Duration,
) -> io::Result<Finished> {
    let mut command = Command::new(program);
    let no_id = || io::Error::new(io::ErrorKind::InvalidInput, "an account whose id is no id");
    let (uid, gid) = (ids::uid(identity.uid).ok_or_else(no_id)?, ids::gid(identity.gid).ok_or_else(no_id)?);
    let groups: Vec<Gid> = identity.groups.iter().filter_map(|gid| ids::gid(*gid)).collect();
    let become_them = move || {
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    };
    // SAFETY: between fork and exec it makes three system calls of its only thread and allocates nothing.
    unsafe { command.pre_exec(become_them) };
    finish(command.current_dir("/"), arguments, input, deadline)
}

/// The account that owns nothing (`nobody`), as the kernel's overflow uid has it.
const NOBODY: u32 = 65534;

/// As [`run`], as an account that owns nothing and reads every file: for a program that asks more of root than is needed
/// to look. Only root can. Other processes of that account have not the capability, so that they cannot trace it.
pub fn run_reading(program: &Path, arguments: &[&str], deadline: Duration) -> io::Result<Finished> {
    // In a container the first is often missing, and root reads by the second.
    let permitted = capabilities(None)?.permitted;
    let wanted = [CapabilitySet::DAC_READ_SEARCH, CapabilitySet::DAC_OVERRIDE];
    let reads = wanted.into_iter().find(|one| permitted.contains(*one)).ok_or(io::ErrorKind::PermissionDenied)?;
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let become_nobody = move || {
        set_keep_capabilities(true)?;
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        set_capabilities(None, CapabilitySets { effective: reads, permitted: reads, inheritable: reads })?;
        configure_capability_in_ambient_set(reads, true)?;
        Ok(())
    };
    let mut command = Command::new(program);
    // SAFETY: between fork and exec it makes system calls of its only thread and allocates nothing.
    unsafe { command.pre_exec(become_nobody) };
    finish(command.current_dir("/"), arguments, b"", deadline)
}

/// Has the kernel kill what `command` starts when this process dies, however it does.
pub fn die_with_us(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) }
}

fn finish(command: &mut Command, arguments: &[&str], input: &[u8], deadline: Duration) -> io::Result<Finished> {
    let end = Instant::now() + deadline;
    let child = command
        .args(arguments)
        .env_clear()
        .env("PATH", PLACES.join(":"))
        .env("LC_ALL", "C")
        // What is typed at the terminal is for us to act on: a tool that is cut short would leave half of its work.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut running = Running(child);
    if let Some(mut stdin) = running.0.stdin.take() {
        // At most a pipe's buffer, so this does not wait. Whoever does not read it has no use for it.
        let _ = stdin.write_all(&input[..input.len().min(PIPE_BYTES)]);
    }
    let (out, err) = running.output(end)?;
    Ok(Finished { code: running.end(end)?, out, err })
}

/// What a pipe holds without a reader (pipe(7)).
const PIPE_BYTES: usize = 64 * 1024;

/// A child that does not outlive the question.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One output stream.
struct Stream<T> {
    pipe: Option<T>,
    bytes: Vec<u8>,
}

impl<T: Read> Stream<T> {
    fn new(pipe: Option<T>) -> Self {
        Self { pipe, bytes: Vec::new() }
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; 4096];
        let read = pipe.read(&mut buffer)?;
        let room = MAX_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&buffer[..read.min(room)]);
        if read == 0 {
            self.pipe = None;
        }
        Ok(())
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Running {
    fn output(&mut self, end: Instant) -> io::Result<(String, String)> {
        let mut out = Stream::new(self.0.stdout.take());
        let mut err = Stream::new(self.0.stderr.take());
        while out.pipe.is_some() || err.pipe.is_some() {
            let fds = [out.pipe.as_ref().map(|pipe| pipe.as_fd()), err.pipe.as_ref().map(|pipe| pipe.as_fd())];
            let [out_ready, err_ready] = ready(fds, end)?;
            if out_ready {
                out.read()?;
            }
            if err_ready {
                err.read()?;
            }
        }
        Ok((out.text(), err.text()))
    }

    /// Waits for its end; it has closed its output, so that the end is near.
    fn end(&mut self, end: Instant) -> io::Result<Option<i32>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() >= end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Which of `fds` can be read without waiting; an error if none could until `end`.
fn ready(fds: [Option<BorrowedFd<'_>>; 2], end: Instant) -> io::Result<[bool; 2]> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let left = end.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&timeout)) {
        Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok([false; 2]),
        Err(error) => return Err(error.into()),
    }
    let mut states = polled.iter().map(|fd| !fd.revents().is_empty());
    Ok(fds.map(|fd| fd.is_some() && states.next().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], deadline: Duration) -> io::Result<Finished> {
        run(Path::new("/bin/sh"), &["-c", script], input, deadline)
    }

    #[test]
    fn both_streams_and_the_code_are_told_apart() {
        let done = sh("cat; echo no >&2; exit 3", b"in", Duration::from_secs(60)).unwrap();
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(3), "in", "no\n"));
        assert_eq!(done.complaint(), "no");
    }

    #[test]
    fn a_flood_is_cut_and_a_program_that_hangs_is_ended() {
        let done = sh("head -c 3000000 /dev/zero", b"", Duration::from_secs(60)).unwrap();
        assert_eq!((done.code, done.out.len()), (Some(0), MAX_BYTES));
        let error = sh("exec sleep 600", b"", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_program_runs_as_who_it_should_with_nothing_of_ours() {
        // Only root becomes somebody else.
        if !rustix::process::geteuid().is_root() {
            let nobody = Identity { uid: 65_534, gid: 65_534, groups: Vec::new() };
            assert!(run_as(&nobody, Path::new("/bin/true"), &[], b"", Duration::from_secs(60)).is_err());
            return;
        }
        let identity = Identity { uid: 4711, gid: 4712, groups: vec![4713, 4714] };
        let script = "id -u; id -g; id -G; pwd";
        let done = run_as(&identity, Path::new("/bin/sh"), &["-c", script], b"", Duration::from_secs(60)).unwrap();
        assert_eq!(done.out, "4711\n4712\n4712 4713 4714\n/\n", "{done:?}");
    }

    #[test]
    fn a_program_that_only_reads_reads_what_is_roots_and_writes_nothing() {
        if !rustix::process::geteuid().is_root() {
            assert!(run_reading(Path::new("/bin/true"), &[], Duration::from_secs(60)).is_err());
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let path = file.path().to_str().unwrap();
        let script = format!("id -u; cat {path}; grep CapEff /proc/self/status");
        let done = run_reading(Path::new("/bin/sh"), &["-c", &script], Duration::from_secs(60)).unwrap();
        assert!(done.out.starts_with("65534\nsecretCapEff:\t000000000000000"), "{done:?}");
    }

    #[test]
    fn nothing_of_our_environment_is_passed_on() {
        let done =
            sh("env | cut -d= -f1 | grep -v -e ^_ -e ^PWD -e ^SHLVL | sort", b"", Duration::from_secs(60)).unwrap();
        assert_eq!(done.out, "LC_ALL\nPATH\n");
    }
}
