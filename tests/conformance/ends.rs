//! How sessions end, whatever ends them.

mod alone;

use crate::{
    bench::{self, Disturbance, START_BROKER, STOP_BROKER, User, eventually},
    client::{Finished, Process},
    files::bytes,
};
use rustix::process::Signal;
use std::{
    fs,
    time::{Duration, Instant},
};

/// Writes a file when it is hung up, and otherwise goes on for ever. The shell would say "Hangup" to a stream that is
/// gone, and die of that.
const TRAPS_HUP: &str =
    "trap '' PIPE; trap 'echo hung up >~/hung-up; exit' HUP; echo ready; while :; do sleep 0.1; done";

impl User<'_> {
    /// Waits until [`TRAPS_HUP`] was hung up and no connection is counted any more.
    #[track_caller]
    fn assert_hung_up(&self) {
        eventually("no connection is counted", || self.connections() == 0);
        let read = |user: &Self| user.inside(&format!("cat /home/{}/hung-up", user.name)).text();
        eventually("the process was hung up", || read(self) == "hung up\n");
    }
}

#[test]
fn a_killed_client_hangs_up_its_command() {
    let bench = bench::shared();
    let user = bench.user();
    let mut process = user.start(&[], TRAPS_HUP);
    assert_eq!(user.connections(), 1);
    process.kill();
    user.assert_hung_up();
}

#[test]
fn a_killed_client_hangs_up_its_terminal() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.terminal(Some(TRAPS_HUP));
    terminal.wait_for("ready");
    terminal.kill();
    user.assert_hung_up();
}

#[test]
fn a_client_that_closes_hangs_up_its_command() {
    let bench = bench::shared();
    let user = bench.user();
    let process = user.start(&[], TRAPS_HUP);
    process.signal(Signal::TERM);
    user.assert_hung_up();
    let mut terminal = user.shell();
    terminal.send(format!("rm ~/hung-up; {TRAPS_HUP}\n").replace("echo ready", "echo re''ady"));
    terminal.wait_for("ready");
    terminal.send("\n~.");
    eventually("ssh has ended", || terminal.has_ended());
    user.assert_hung_up();
}

#[test]
fn a_killed_sshd_hangs_up_the_command() {
    let bench = bench::shared();
    let user = bench.user();
    let process = user.start(&[], TRAPS_HUP);
    bench.root(&format!("pkill -KILL -f '^sshd(-session)?: {}@'", user.name));
    process.finish();
    user.assert_hung_up();
}

#[test]
fn a_killed_spawn_hangs_up_the_command() {
    let bench = bench::shared();
    let user = bench.user();
    let process = user.start(&[], TRAPS_HUP);
    bench.root(&format!("pkill -KILL -u {} -x podspawn", user.name));
    assert_ne!(process.finish().code, Some(0));
    user.assert_hung_up();
}

#[test]
fn the_count_is_right_within_a_second_of_a_killed_client() {
    let bench = bench::shared();
    let user = bench.user();
    let mut process = user.start(&[], "echo ready; exec sleep 1000");
    let other = user.start(&[], "echo ready; exec sleep 1000");
    assert_eq!(user.connections(), 2);
    process.kill();
    let killed = Instant::now();
    loop {
        let after = killed.elapsed();
        if user.connections() == 1 {
            break;
        }
        assert!(after < Duration::from_secs(1), "{after:?} after the client was killed it is still counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(other);
}

#[test]
fn who_ignores_the_hang_up_is_killed_after_a_while() {
    let bench = bench::shared();
    let user = bench.user();
    let mut process = user.start(&[], "trap '' HUP; sleep 1001 & echo ready; while :; do sleep 1002; done");
    process.kill();
    eventually("no connection is counted", || user.connections() == 0);
    eventually("the process group is gone", || {
        user.inside("grep -l -a -e 100[12] /proc/[0-9]*/cmdline | grep -v self").text().lines().count() <= 1
    });
}

#[test]
fn a_process_with_a_session_of_its_own_stays() {
    let bench = bench::shared();
    let user = bench.user();
    let command = "setsid sh -c 'while :; do date +%s%N >~/alive; sleep 0.2; done' >/dev/null 2>&1 </dev/null & until test -s ~/alive; do sleep 0.1; done; echo ready; exec sleep 1000";
    let mut process = user.start(&[], command);
    process.kill();
    eventually("no connection is counted", || user.connections() == 0);
    // Longer than the time after which a hang-up becomes a kill.
    std::thread::sleep(Duration::from_secs(7));
    let tick = || user.inside(&format!("cat /home/{}/alive", user.name)).text();
    let first = tick();
    eventually("it still ticks", || tick() != first);
}

#[test]
fn a_container_that_is_removed_is_one_line_and_255() {
    let bench = bench::shared();
    let user = bench.user();
    let process = user.start(&[], "echo ready; exec sleep 1000");
    let mut terminal = user.shell();
    bench.root(&format!("docker rm --force {}", user.container()));
    let done = process.finish();
    assert_eq!(done.code, Some(255), "{done:?}");
    assert_one_line(&done);
    terminal.wait_for("podspawn: your container was removed outside of podspawn");
    assert_eq!(terminal.finish().0, 255);
    eventually("the session is forgotten", || user.sessions().is_empty());
    assert_eq!(user.run("echo again").success(), "again");
}

#[test]
fn a_container_that_is_stopped_ends_its_sessions_politely() {
    let bench = bench::shared();
    let user = bench.user();
    let process = user.start(&[], "trap 'echo bye; exit 7' HUP TERM; echo ready; while :; do sleep 0.1; done");
    let container = user.container();
    let begun = Instant::now();
    bench.root(&format!("docker stop --time 30 {container}"));
    assert!(begun.elapsed() < Duration::from_secs(20), "the guest had to be killed");
    let done = process.finish();
    assert_eq!((done.code, done.text().as_str()), (Some(7), "bye\n"), "{done:?}");
}

/// What podspawn says is one line.
#[track_caller]
pub(crate) fn assert_one_line(done: &Finished) {
    let errors = done.errors();
    assert!(errors.starts_with("podspawn: ") && errors.lines().count() == 1, "{done:?}");
}
