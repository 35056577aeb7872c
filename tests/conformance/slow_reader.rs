//! A client that reads nothing for a while: a laptop that sleeps, a terminal that is stopped.

use crate::{
    bench::{self, User, eventually},
    terminal::Terminal,
};
use rustix::process::Signal;
use std::time::Duration;

/// What OpenSSH's client takes of a terminal's output, at least, before anybody reads it.
const WINDOW: usize = 1 << 20;

/// Waits for a file, fills everything on the way to the client to the brim, and writes down how many bytes that were.
/// `then` follows.
fn writer(then: &str) -> String {
    // dd counts what a terminal takes that does not block; it is full when it has taken nothing for two seconds.
    format!(
        "stty -opost; head -c 500 /dev/zero | tr '\\0' x >~/block; rm -f ~/written; echo ready
         while ! test -e ~/go; do sleep 0.1; done
         head -c {WINDOW} /dev/zero | tr '\\0' x
         total={WINDOW} full=0
         while test $full -lt 20; do
             took=$(LC_ALL=C dd if=$HOME/block bs=500 oflag=nonblock 2>&1 >/dev/tty | sed -n 's/ bytes.*//p')
             total=$((total + took))
             if test $took = 0; then full=$((full + 1)); sleep 0.1; else full=0; fi
         done
         echo $total >~/count; mv ~/count ~/written
         {then}"
    )
}

/// A client that is stopped before the process writes.
fn stopped(user: &User<'_>, command: &str) -> Terminal {
    let mut terminal = user.terminal(Some(command));
    terminal.wait_for("ready");
    terminal.signal(Signal::STOP);
    terminal
}

/// What the process says that it wrote, once it has.
#[track_caller]
fn count(read: impl Fn() -> String) -> usize {
    eventually("everything is written", || !read().is_empty());
    read().trim().parse().unwrap()
}

fn count_of(user: &User<'_>) -> usize {
    count(|| user.inside(&format!("cat /home/{}/written 2>/dev/null", user.name)).text())
}

fn written(shown: &str) -> usize {
    shown.bytes().filter(|byte| *byte == b'x').count()
}

#[test]
fn nothing_is_lost_however_long_the_client_sleeps() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    bench.root("rm -f /home/plain/go /home/plain/written");
    let (ours, theirs) = (stopped(&user, &writer("exit 6")), stopped(&plain, &writer("exit 6")));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    bench.root("touch /home/plain/go");
    let of_plain = count(|| bench.root("cat /home/plain/written 2>/dev/null || true"));
    let of_ours = count_of(&user);
    eventually("the process has ended and is counted no more", || user.connections() == 0);
    // Longer than anything on the way would wait for a client.
    std::thread::sleep(Duration::from_secs(35));
    for (terminal, whose, bytes) in [(theirs, "plain", of_plain), (ours, "podspawn", of_ours)] {
        terminal.signal(Signal::CONT);
        let (code, shown) = terminal.finish();
        assert_eq!((whose, code, written(&shown)), (whose, 6, bytes));
    }
}

#[test]
fn what_was_written_before_the_container_was_removed_arrives_and_then_the_reason() {
    let bench = bench::shared();
    let user = bench.user();
    let terminal = stopped(&user, &writer("sleep 1000"));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    let bytes = count_of(&user);
    bench.root(&format!("docker rm --force {}", user.container()));
    eventually("the session is forgotten", || user.sessions().is_empty());
    terminal.signal(Signal::CONT);
    let (code, shown) = terminal.finish();
    let (output, rest) = shown.split_at(shown.rfind('x').unwrap() + 1);
    assert_eq!((code, written(output)), (255, bytes), "{rest:?}");
    assert!(rest.starts_with("podspawn: your container was removed outside of podspawn"), "{rest:?}");
}

#[test]
fn a_client_that_reads_nothing_keeps_neither_the_container_nor_a_terminal_in_it() {
    let bench = bench::shared();
    let user = bench.user_with("mode: destroy-on-disconnect");
    let terminal = stopped(&user, &writer("exit 6"));
    user.inside(&format!("touch /home/{}/go", user.name)).success();
    eventually("the container is gone", || user.containers().is_empty() && user.sessions().is_empty());
    let spawn = format!("pgrep -u {} -x podspawn", user.name);
    assert_ne!(bench.root(&spawn), "", "what is left to show is given up");
    let masters = format!("for pid in $({spawn}); do readlink /proc/$pid/fd/*; done | grep -c ptmx || true");
    assert_eq!(bench.root(&masters), "0", "a terminal of the container is held");
    terminal.signal(Signal::CONT);
    let (code, shown) = terminal.finish();
    assert_eq!(code, 6);
    assert!(written(&shown) > WINDOW);
    eventually("nothing waits any more", || bench.root(&format!("{spawn} || true")).is_empty());
}
