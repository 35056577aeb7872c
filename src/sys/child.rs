//! A child process, run to its end with a deadline and with bounds for its output.

use crate::domain::text::one_line;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, Read, Write as _},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Most bytes of each output stream that are kept; `sshd -T` prints some KiB.
const MAX_BYTES: usize = 1024 * 1024;
/// Capacity of a pipe without a reader (pipe(7)).
const PIPE_BYTES: usize = 64 * 1024;
/// Lines and characters of a complaint.
const MAX_LINES: usize = 5;
const MAX_CHARS: usize = 1000;

/// The result of a program.
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

    /// The first lines of its output on one line, or how it ended: for a message.
    #[must_use]
    pub fn complaint(&self) -> String {
        let printed = if self.err.trim().is_empty() { &self.out } else { &self.err };
        complaint(printed).unwrap_or_else(|| match self.code {
            Some(code) => no_output(code),
            None => "it was ended by a signal".to_owned(),
        })
    }
}

/// The first lines of a program's output on one line; `None` if it printed none.
#[must_use]
pub fn complaint(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).take(MAX_LINES).collect();
    (!lines.is_empty()).then(|| one_line(&lines.join("; ")).chars().take(MAX_CHARS).collect())
}

/// The message for a program that printed nothing and ended with `code`.
#[must_use]
pub fn no_output(code: i32) -> String {
    format!("it ended with {code} and printed nothing")
}

/// Runs `command` with `input` to its end; one that takes longer than `deadline` is killed.
pub fn finish(command: &mut Command, input: &[u8], deadline: Duration) -> io::Result<Finished> {
    let end = Instant::now() + deadline;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut running = Running(child);
    if let Some(mut stdin) = stdin {
        // At most a pipe's buffer, so this does not wait. A program that does not read it has no use for it.
        let _ = stdin.write_all(&input[..input.len().min(PIPE_BYTES)]);
    }
    let (out, err) = output(Stream::new(out), Stream::new(err), end)?;
    // It has closed its output, so its end is near.
    let status = running.wait(end, Duration::from_millis(1), || false)?.ok_or(io::ErrorKind::TimedOut)?;
    Ok(Finished { code: status.code(), out, err })
}

/// A child that is killed when this is dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Takes over `child`.
    #[must_use]
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// How it ended; `None` while it runs.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for its end, looking every `tick`; `None` if it still runs at `end` or once `is_over` says so.
    pub fn wait(&mut self, end: Instant, tick: Duration, is_over: impl Fn() -> bool) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.status()? {
                return Ok(Some(status));
            }
            if Instant::now() >= end || is_over() {
                return Ok(None);
            }
            thread::sleep(tick);
        }
    }
}

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

/// Reads both streams until the program has closed them.
fn output<Out, Err>(mut out: Stream<Out>, mut err: Stream<Err>, end: Instant) -> io::Result<(String, String)>
where
    Out: Read + AsFd,
    Err: Read + AsFd,
{
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
        finish(Command::new("/bin/sh").args(["-c", script]), input, deadline)
    }

    #[test]
    fn both_streams_and_the_code_are_kept_apart() {
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
    fn a_complaint_is_one_short_line() {
        let done = |code, err: &str| Finished { code, out: String::new(), err: err.into() };
        assert_eq!(done(Some(1), "a: no\r\n\n b\x1b[2J\n").complaint(), "a: no; b\u{fffd}[2J");
        assert_eq!(done(Some(3), " ").complaint(), "it ended with 3 and printed nothing");
        assert_eq!(done(None, "").complaint(), "it was ended by a signal");
        assert_eq!(complaint(&"x".repeat(100_000)).map(|text| text.len()), Some(MAX_CHARS));
        assert_eq!(complaint(&"a\n".repeat(100)).as_deref(), Some("a; a; a; a; a"));
    }
}
