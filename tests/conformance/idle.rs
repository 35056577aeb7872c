//! Connections through which nothing goes are ended, and no others.
//!
//! The kernel writes a terminal's times with a precision of eight seconds, which the guest allows for.

mod alone;

use crate::{
    bench::{self, Disturbance, START_BROKER, STOP_BROKER, User, eventually},
    client::Process,
    terminal::Terminal,
};
use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// Its sessions are idle after [`TIMEOUT`].
const QUIET: [&str; 2] = ["-o", "SetEnv=PODSPAWN_PROJECT=quiet"];
/// The same, and in mode `destroy-on-disconnect`.
const QUIET_AND_GONE: [&str; 2] = ["-o", "SetEnv=PODSPAWN_PROJECT=quiet-and-gone"];
const TIMEOUT: Duration = Duration::from_secs(4);
const CLOSED: &str = "podspawn: nothing was sent or received for 4s; the connection is closed";
/// Longer than any idle connection lives here, with what is added for a terminal and for the time between two looks.
const LONG: Duration = Duration::from_secs(20);

const READY: &str = "echo ready; exec cat >/dev/null";

impl User<'_> {
    fn quiet_terminal(&self, command: Option<&str>) -> Terminal {
        let mut ssh = self.ssh(&[QUIET[0], QUIET[1], "-tt"]);
        ssh.env("TERM", "xterm").args(command);
        Terminal::open(&ssh, 24, 80)
    }

    /// What the log says of those who went, in earlier runs too.
    fn ends(&self) -> Vec<String> {
        let name = &self.name;
        let log = self.bench.root(&format!(
            "journalctl --quiet --output=cat --unit=podspawn-broker PODSPAWN_EVENT=disconnect PODSPAWN_USER={name}"
        ));
        log.lines().map(str::to_owned).collect()
    }

    /// Waits until the log says that one more went, and that it was idle.
    #[track_caller]
    fn assert_idle_in_log(&self, project: &str, before: usize) {
        eventually("the end is in the log", || self.ends().len() > before);
        let ends = self.ends();
        assert_eq!(ends[before..], [format!("{}@{project} disconnected: idle", self.name)]);
    }
}

#[test]
fn an_idle_shell_is_ended_with_the_reason_and_its_container_waits() {
    let bench = bench::shared();
    let user = bench.user();
    let before = user.ends().len();
    let mut shell = user.quiet_terminal(None);
    shell.send("echo kept >~/kept; echo re''ady\n");
    shell.wait_for("ready");
    let since = Instant::now();
    let (code, shown) = shell.finish();
    assert!(since.elapsed() >= TIMEOUT, "after {:?}", since.elapsed());
    assert!(code == 255 && shown.contains(CLOSED) && !shown.contains("is gone"), "{code}: {shown:?}");
    eventually("no connection is counted", || user.connections() == 0);
    assert_eq!(user.sessions()[0]["status"], "grace");
    user.assert_idle_in_log("quiet", before);
    assert_eq!(user.ssh_in("quiet", "cat ~/kept").success(), "kept");
}

#[test]
fn an_idle_command_is_hung_up_with_the_reason_and_its_container_is_removed_where_the_mode_says_so() {
    let bench = bench::shared();
    let user = bench.user();
    let before = user.ends().len();
    let command = "trap 'echo hung up; exit' HUP; echo ready; while read -r line; do :; done";
    let process = user.start(&QUIET_AND_GONE, command);
    let (since, done) = (Instant::now(), process.finish());
    assert!(since.elapsed() + Duration::from_millis(100) >= TIMEOUT, "after {:?}", since.elapsed());
    assert_eq!((done.code, done.errors()), (Some(255), format!("{CLOSED}\n")), "{done:?}");
    eventually("the container is removed", || user.containers().is_empty());
    user.assert_idle_in_log("quiet-and-gone", before);
}

#[test]
fn bytes_from_the_client_keep_every_connection_of_the_session() {
    let bench = bench::shared();
    let user = bench.user();
    let (input, feed) = rustix::pipe::pipe().unwrap();
    let mut talks = Process::start_with_input(user.ssh(&QUIET).arg(READY), Stdio::from(input));
    let mut silent = user.start(&QUIET, READY);
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        rustix::io::write(&feed, b"x").unwrap();
        thread::sleep(Duration::from_secs(1));
    }
    assert!(!talks.has_ended() && !silent.has_ended());
    assert_eq!(user.connections(), 2);
    // And then they are silent together.
    let done = silent.finish();
    assert_eq!((done.code, done.errors()), (Some(255), format!("{CLOSED}\n")), "{done:?}");
    assert_eq!(talks.finish().code, Some(255));
}

#[test]
fn bytes_to_the_client_keep_every_connection_of_the_session() {
    let bench = bench::shared();
    let user = bench.user();
    // On standard error, and no faster than it must be.
    let talks = user.start(&QUIET, "echo ready; for n in $(seq 7); do sleep 3; echo $n >&2; done; exit 5");
    let mut terminal = user.quiet_terminal(None);
    let done = talks.finish();
    assert_eq!((done.code, done.errors().lines().count()), (Some(5), 7), "{done:?}");
    assert!(!terminal.has_ended());
    let (code, shown) = terminal.finish();
    assert!(code == 255 && shown.contains(CLOSED), "{code}: {shown:?}");
}

#[test]
fn a_shell_that_is_typed_at_is_not_idle_and_neither_is_one_that_shows_something() {
    let bench = bench::shared();
    let (typing, showing, by_name) = (bench.user(), bench.user(), bench.user());
    let mut typed = typing.quiet_terminal(Some("stty -echo; echo ready; exec cat >/dev/null"));
    typed.wait_for("ready");
    let mut shows = showing.quiet_terminal(Some("while sleep 1; do echo tick; done"));
    // Some programs know their terminal by this name alone.
    let mut shows_by_name = by_name.quiet_terminal(Some("while sleep 1; do echo tick >/dev/tty; done >/dev/null"));
    let end = Instant::now() + LONG + Duration::from_secs(5);
    while Instant::now() < end {
        typed.send("x\n");
        thread::sleep(Duration::from_secs(1));
    }
    for terminal in [&mut typed, &mut shows, &mut shows_by_name] {
        assert!(!terminal.has_ended(), "{:?}", terminal.shown());
    }
}
