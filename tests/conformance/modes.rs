//! Modes and deadlines: how long a session lives.

use crate::bench::{self, Bench, User, eventually};
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

/// The words of a client that stays: nothing of its own ends it.
pub(crate) const STAY: &str = "echo ready; exec sleep 1000";

impl User<'_> {
    /// `ssh` options for a project, as `ssh NAME.pod` would set it.
    fn project(name: &str) -> [String; 2] {
        ["-o".into(), format!("SetEnv=PODSPAWN_PROJECT={name}")]
    }

    /// A client in a project that stays connected.
    pub(crate) fn stay_in(&self, project: &str) -> crate::client::Process {
        let [option, value] = Self::project(project);
        self.start(&[&option, &value], STAY)
    }

    /// Its only session.
    #[track_caller]
    pub(crate) fn session(&self) -> Value {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions.remove(0)
    }

    /// What the engine knows of its only container.
    pub(crate) fn inspect(&self, format: &str) -> String {
        self.bench.root(&format!("docker inspect --format '{format}' {}", self.container()))
    }

    pub(crate) fn networks(&self) -> usize {
        self.bench
            .root(&format!("docker network ls --quiet --filter label=podspawn-user={}", self.name))
            .lines()
            .count()
    }

    /// Nothing of it is left.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        eventually("the container is removed", || self.containers().is_empty());
        eventually("the network is removed", || self.networks() == 0);
        eventually("the session is forgotten", || self.sessions().is_empty());
    }
}

/// Seconds since the epoch on the bench host.
fn now(bench: &Bench) -> i64 {
    bench.root("date +%s").parse().unwrap()
}

#[test]
fn grace_period_begins_with_the_last_disconnect_and_a_reconnect_finds_the_same_container() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("echo kept >~/kept").success();
    let container = user.container();
    eventually("the session is in grace", || user.session()["status"] == "grace");
    assert_eq!(user.run("cat ~/kept").success(), "kept");
    assert_eq!(user.container(), container);
    let _connected = user.start(&[], STAY);
    assert_eq!(user.session()["status"], "running");
}

#[test]
fn grace_period_is_cancelled_by_a_reconnect() {
    let bench = bench::shared();
    let user = bench.user();
    user.ssh_in("held", "true").success();
    let container = user.container();
    eventually("the session is in grace", || user.session()["status"] == "grace");
    let held = user.stay_in("held");
    // Longer than the 12 s of the project.
    thread::sleep(Duration::from_secs(15));
    assert_eq!((user.container(), user.connections()), (container, 1));
    assert_eq!(user.session()["status"], "running");
    drop(held);
    user.assert_gone();
}

#[test]
fn grace_period_that_is_over_leaves_neither_container_nor_network() {
    let bench = bench::shared();
    let user = bench.user();
    assert_eq!(user.ssh_in("brief", "echo hi").success(), "hi");
    assert_eq!((user.containers().len(), user.networks()), (1, 1));
    user.assert_gone();
}

#[test]
fn destroy_on_disconnect_keeps_the_container_until_the_last_one_leaves() {
    let bench = bench::shared();
    let user = bench.user_with("mode: destroy-on-disconnect");
    let held = user.start(&[], "echo x >~/kept; echo ready; exec sleep 1000");
    assert_eq!(user.run("cat ~/kept").success(), "x");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(user.connections(), 1, "the session ended while a connection was left");
    drop(held);
    user.assert_gone();
    assert_eq!(user.run("cat ~/kept").code, Some(1));
}

#[test]
fn destroy_on_disconnect_destroys_at_once() {
    let bench = bench::shared();
    let user = bench.user();
    user.ssh_in("once", "true").success();
    let begun = Instant::now();
    user.assert_gone();
    // The grace period, were there one, is 60 s.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn ttl_keeps_the_container_whatever_happens_and_ends_on_time_in_spite_of_connections() {
    let bench = bench::shared();
    let user = bench.user();
    user.ssh_in("timed", "echo x >~/kept").success();
    let (container, created) = (user.container(), user.session()["created"].as_i64().unwrap());
    // No connection, for longer than the project's grace period of 1 s.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(user.ssh_in("timed", "cat ~/kept").success(), "x");
    assert_eq!(user.container(), container);
    let [option, value] = User::project("timed");
    let mut ssh = user.ssh(&["-tt", &option, &value]);
    let mut terminal = crate::terminal::Terminal::open(ssh.arg("sleep 1000"), 24, 80);
    terminal.wait_for("podspawn: this container is being removed: its time to live of 20s is over");
    let age = now(&bench) - created;
    assert!((20..=26).contains(&age), "ended at the age of {age} s");
    assert_ne!(terminal.finish().0, 0);
    user.assert_gone();
}

#[test]
fn max_lifetime_ends_the_session_in_spite_of_connections() {
    let bench = bench::shared();
    let user = bench.user();
    let program = user.stay_in("aging");
    let created = user.session()["created"].as_i64().unwrap();
    let [option, value] = User::project("aging");
    let mut ssh = user.ssh(&["-tt", &option, &value]);
    let mut terminal = crate::terminal::Terminal::open(ssh.arg("sleep 1000"), 24, 80);
    terminal.wait_for("podspawn: this container is being removed: its lifetime of 15s is over");
    let age = now(&bench) - created;
    assert!((15..=21).contains(&age), "ended at the age of {age} s");
    assert_ne!(terminal.finish().0, 0);
    let program = program.finish();
    assert_eq!((program.code, program.text().as_str()), (Some(255), ""), "{program:?}");
    user.assert_gone();
    assert_eq!(user.ssh_in("aging", "echo again").success(), "again");
}

/// A terminal shows that so many minutes are left; a program gets no notice.
#[track_caller]
fn assert_notice(project: &str, notice: &str) {
    let bench = bench::shared();
    let user = bench.user();
    let program = user.stay_in(project);
    let [option, value] = User::project(project);
    let mut ssh = user.ssh(&["-tt", &option, &value]);
    let mut terminal = crate::terminal::Terminal::open(ssh.arg("echo here; sleep 1000"), 24, 80);
    terminal.wait_for("here");
    terminal.wait_for(&format!("podspawn: {notice}"));
    let left = user.session()["ends"].as_i64().unwrap() - now(&bench);
    let minutes: i64 = notice.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!((minutes * 60 - 6..=minutes * 60).contains(&left), "{left} s are left");
    assert_eq!(user.connections(), 2);
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.finish().errors(), "");
}

#[test]
fn max_lifetime_is_announced_ten_minutes_before() {
    assert_notice("ten", "this container reaches its lifetime in 10 minutes");
}

#[test]
fn max_lifetime_is_announced_five_minutes_before() {
    assert_notice("five", "this container reaches its lifetime in 5 minutes");
}

#[test]
fn max_lifetime_is_announced_one_minute_before() {
    assert_notice("minute", "this container reaches its lifetime in 1 minute");
}

#[test]
fn named_keeps_the_container_beyond_every_deadline() {
    let bench = bench::shared();
    let user = bench.user();
    user.ssh_in("kept", "echo x >/tmp/kept").success();
    let container = user.container();
    // Its grace period, its lifetime and its time to live are 1 s each.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(user.ssh_in("kept", "cat /tmp/kept").success(), "x");
    assert_eq!(user.container(), container);
    let session = user.session();
    assert_eq!(
        (&session["mode"], &session["ends"], &session["lifetime"]),
        (&"named".into(), &Value::Null, &Value::Null)
    );
}

#[test]
fn named_is_kept_until_it_is_stopped_and_its_home_beyond_that() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    user.run("echo home >~/kept; echo container >/tmp/kept").success();
    let mut before = user.container();
    let stop = format!("podspawn stop {}", user.name);
    let remove = format!("docker rm --force $(docker ps -q --filter label=podspawn-user={})", user.name);
    for end in [stop, remove] {
        bench.root(&end);
        user.assert_gone();
        assert_eq!(user.run("cat ~/kept; cat /tmp/kept 2>/dev/null").text(), "home\n", "after {end}");
        let after = user.container();
        assert_ne!(after, before);
        before = after;
    }
}

#[test]
fn persistent_is_another_word_for_named() {
    let bench = bench::shared();
    let user = bench.user_with("mode: persistent");
    user.run("true").success();
    assert_eq!(user.session()["mode"], "named");
    assert!(user.run("grep -c \" $HOME \" /proc/mounts").code == Some(0), "the home is no mount");
}
