//! getent(1): the host's own dynamically linked view of its name services, for hosts without systemd's user database.

use super::account::{Answer, DEADLINE};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Where getent is: fixed places, since another user could have chosen the search path.
const PLACES: [&str; 3] = ["run/current-system/sw/bin/getent", "usr/bin/getent", "bin/getent"];
/// "One or more supplied key could not be found in the database" (getent(1)).
const NOT_FOUND: i32 = 2;
/// Longest answer, in bytes; a group of thousands of members is one line.
const MAX_BYTES: u64 = 1024 * 1024;

/// The line of `database` for `key`; an error means that there was no answer, of kind `NotFound` if there is no getent, which
/// is as final as a "no": there is no other source.
pub(super) fn line(root: &Path, database: &str, key: &str) -> Answer<String> {
    let deadline = Instant::now() + DEADLINE;
    let program = program(root).ok_or(io::ErrorKind::NotFound)?;
    let child = Command::new(program)
        .args([database, "--", key])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut running = Running(child);
    let text = running.output(deadline)?;
    let status = running.end(deadline)?;
    match status.code() {
        Some(0) => Ok(text.lines().next().map(str::to_owned)),
        Some(NOT_FOUND) => Ok(None),
        _ => Err(io::Error::other(format!("getent {database}: {status}"))),
    }
}

fn program(root: &Path) -> Option<PathBuf> {
    PLACES.iter().map(|place| root.join(place)).find(|path| path.exists())
}

/// A child that does not outlive the question.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn output(&mut self, deadline: Instant) -> io::Result<String> {
        let mut stdout = self.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut text = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let ready = match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            };
            if ready == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut buffer = [0; 4096];
            let read = stdout.read(&mut buffer)?;
            if read == 0 {
                return String::from_utf8(text).map_err(io::Error::other);
            }
            text.extend_from_slice(&buffer[..read]);
            if text.len() as u64 > MAX_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Waits for its end; it has closed its output, so that the end is near.
    fn end(&mut self, deadline: Instant) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
