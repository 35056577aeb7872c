//! A client on pipes, whose output is collected while it runs.

use crate::connection::Ended;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// A client on pipes.
pub(crate) struct Pipes {
    child: Child,
    /// Its end is the client's to notice.
    pub(crate) stdin: Option<ChildStdin>,
    out: Collected,
    err: Collected,
}

/// What a stream has brought so far.
type Collected = Arc<Mutex<Vec<u8>>>;

fn text(bytes: &Collected) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned()
}

fn collect(mut stream: impl Read + Send + 'static) -> Collected {
    let collected = Collected::default();
    let writer = Arc::clone(&collected);
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            writer.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    collected
}

impl Pipes {
    /// Starts a client.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Self { stdin: child.stdin.take(), child, out, err }
    }

    /// What came out so far.
    pub(crate) fn shown(&self) -> String {
        text(&self.out)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    pub(crate) fn say(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            // A client that is gone is found by its end.
            let _ = stdin.write_all(text.as_bytes());
        }
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        // The last bytes may be between the pipe and its collector.
        let end = Instant::now() + Duration::from_secs(1);
        while Arc::strong_count(&self.out) + Arc::strong_count(&self.err) > 2 && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap();
        Some(Ended { code, said: text(&self.err) })
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
