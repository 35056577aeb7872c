//! A person at a terminal: ssh on a pty of this machine, typed at and read like expect(1) does.

use crate::bench::{DEADLINE, User};
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// What [`User::shell`] shows when it waits; the halves are apart in what is typed.
pub(crate) const PROMPT: &str = ">> ";

/// Everything that the terminal has shown, and whether it is over.
#[derive(Default)]
struct Screen {
    shown: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

pub(crate) struct Terminal {
    master: Arc<OwnedFd>,
    child: Child,
    screen: Arc<Screen>,
    /// Where the next search begins.
    seen: usize,
}

impl Terminal {
    /// Runs `command` on a new terminal of this size.
    pub(crate) fn open(command: &Command, rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        resize(&master, rows, columns);
        // setsid(1) makes the terminal the controlling one: without that ssh gets no notice of a resize.
        let mut with_terminal = Command::new("setsid");
        with_terminal.args(["--ctty", "--"]).arg(command.get_program()).args(command.get_args());
        with_terminal.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                with_terminal.env(name, value);
            }
        }
        with_terminal.stdin(Stdio::from(slave.try_clone().unwrap()));
        with_terminal.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave));
        let child = with_terminal.spawn().unwrap();
        // The slave's last copies on our side go with it: the end of the client is the end of the terminal.
        drop(with_terminal);
        let screen = Arc::new(Screen::default());
        let master = Arc::new(master);
        let (reader, writer) = (Arc::clone(&master), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = rustix::io::read(&*reader, &mut buffer).unwrap_or(0);
                let mut shown = writer.shown.lock().unwrap();
                shown.0.extend_from_slice(&buffer[..count]);
                shown.1 = count == 0;
                writer.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { master, child, screen, seen: 0 }
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        resize(&self.master, rows, columns);
    }

    pub(crate) fn send(&self, text: impl AsRef<[u8]>) {
        let mut rest = text.as_ref();
        while !rest.is_empty() {
            let count = rustix::io::write(&*self.master, rest).unwrap();
            rest = &rest[count..];
        }
    }

    /// Waits until `text` is shown, after what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + DEADLINE;
        let mut shown = self.screen.shown.lock().unwrap();
        loop {
            let found = find(&shown.0[self.seen..], text.as_bytes());
            if let Some(place) = found {
                self.seen += place + text.len();
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let all = String::from_utf8_lossy(&shown.0).into_owned();
            assert!(!shown.1, "ended without showing {text:?}: {all:?}");
            assert!(left > Duration::ZERO, "does not show {text:?}: {all:?}");
            shown = self.screen.changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// What was shown so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.shown.lock().unwrap().0).into_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Sends the client a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end: the exit code, and everything that was shown.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (i32, String) {
        let end = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < end, "does not end: {:?}", self.shown()),
            }
            thread::sleep(Duration::from_millis(5));
        };
        let mut shown = self.screen.shown.lock().unwrap();
        while !shown.1 {
            let left = end.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "the terminal stays open");
            shown = self.screen.changed.wait_timeout(shown, left).unwrap().0;
        }
        let text = String::from_utf8_lossy(&shown.0).into_owned();
        drop(shown);
        (status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap(), text)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(master: &OwnedFd, rows: u16, columns: u16) {
    tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl User<'_> {
    /// `ssh -tt`, with a command or for a shell, on a terminal of 24 lines.
    pub(crate) fn terminal(&self, command: Option<&str>) -> Terminal {
        let mut ssh = self.ssh(&["-tt"]);
        ssh.env("TERM", "xterm-256color").args(command);
        Terminal::open(&ssh, 24, 80)
    }

    /// A login shell that is ready to be typed at. Input ahead of [`PROMPT`] meets a terminal between two modes.
    pub(crate) fn shell(&self) -> Terminal {
        let mut terminal = self.terminal(None);
        // What is typed is shown as well: the two halves are together only in what it prints.
        terminal.send("bind 'set enable-bracketed-paste off'; PS1='>''> '\n");
        terminal.wait_for(PROMPT);
        terminal
    }
}
