//! A client that reads nothing for a while: a laptop that sleeps, a terminal that is stopped.

use crate::{
    bench::{self, User, eventually},
    terminal::Terminal,
};
use rustix::process::Signal;
use std::time::Duration;

/// What OpenSSH's client takes of a terminal without being read from, and a bit more: that much waits behind it on the
/// way, and the process that wrote it can end.
const BYTES: usize = (1 << 20) + 12_000;

/// Waits for a file, and then writes [`BYTES`] as fast as they are taken. `then` follows.
fn writer(then: &str) -> String {
    format!("stty -opost; echo ready; while ! test -e ~/go; do sleep 0.1; done; head -c {BYTES} /dev/zero | tr '\\0' x; {then}")
}

/// A client that is stopped before the process writes.
fn stopped(user: &User<'_>, command: &str) -> Terminal {
    let mut terminal = user.terminal(Some(command));
    terminal.wait_for("ready");
    terminal.signal(Signal::STOP);
    terminal
}

/// Waits until the file exists that says that everything was written.
#[track_caller]
fn wait_until_written(user: &User<'_>) {
    eventually("everything is written", || user.inside(&format!("test -e /home/{}/written", user.name)).code == Some(0));
}

fn written(shown: &str) -> usize {
    shown.bytes().filter(|byte| *byte == b'x').count()
}

#[test]
fn nothing_is_lost_however_long_the_client_sleeps() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let (ours, theirs) = (stopped(&user, &writer("exit 6")), stopped(&plain, &writer("rm -f ~/go; exit 6")));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    bench.root("touch /home/plain/go");
    eventually("the process has ended and is counted no more", || user.connections() == 0);
    // Longer than anything on the way would wait for a client.
    std::thread::sleep(Duration::from_secs(35));
    for (terminal, whose) in [(theirs, "plain"), (ours, "podspawn")] {
        terminal.signal(Signal::CONT);
        let (code, shown) = terminal.finish();
        assert_eq!((whose, code, written(&shown)), (whose, 6, BYTES));
    }
}

#[test]
fn what_was_written_before_the_container_was_removed_arrives_and_then_the_reason() {
    let bench = bench::shared();
    let user = bench.user();
    let terminal = stopped(&user, &writer("touch ~/written; sleep 1000"));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    wait_until_written(&user);
    bench.root(&format!("docker rm --force {}", user.container()));
    eventually("the session is forgotten", || user.sessions().is_empty());
    terminal.signal(Signal::CONT);
    let (code, shown) = terminal.finish();
    assert_eq!((code, written(&shown.replace("xterm", ""))), (255, BYTES));
    assert!(shown.contains("podspawn: your container was removed by somebody"), "{:?}", shown.get(BYTES..));
}

#[test]
fn a_client_that_reads_nothing_keeps_neither_the_container_nor_a_terminal_in_it() {
    let bench = bench::shared();
    let user = bench.user_with("mode: destroy-on-disconnect");
    let terminal = stopped(&user, &writer("exit 6"));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    eventually("the container is gone", || user.containers().is_empty() && user.sessions().is_empty());
    let spawn = format!("pgrep -u {} -x podspawn", user.name);
    let masters = format!("for pid in $({spawn}); do readlink /proc/$pid/fd/*; done | grep -c ptmx || true");
    assert_eq!(bench.root(&masters), "0", "a terminal of the container is held");
    terminal.signal(Signal::CONT);
    let (code, shown) = terminal.finish();
    assert_eq!((code, written(&shown)), (6, BYTES));
    eventually("nothing waits any more", || bench.root(&format!("{spawn} || true")).is_empty());
}
