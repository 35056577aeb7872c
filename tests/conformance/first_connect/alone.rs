//! What takes the bench host for itself.

use super::*;

#[test]
fn a_terminal_shows_what_takes_so_long() {
    let bench = bench::alone();
    let user = bench.user();
    // So that the broker runs.
    bench.user().run("true").success();
    let slow = hold_engine(&bench);
    let mut terminal = user.terminal(None);
    terminal.wait_for("podspawn: creating the container");
    drop(slow);
    // The line is taken away before the shell says anything.
    terminal.wait_for("\r\u{1b}[K");
    terminal.send("exit 0\n");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_missing_image_is_pulled_and_a_person_sees_how_far_it_is() {
    let bench = bench::alone();
    bench.root(PUBLISH);
    let _registry = Disturbance::of(&bench, "true", "systemctl stop test-registry; rm -rf /run/podspawn-test/registry");
    let user = bench.user_with("image: \"127.0.0.1:5000/team/image:1\"");
    let mut terminal = user.terminal(None);
    terminal.wait_for("podspawn: pulling 127.0.0.1:5000/team/image:1");
    terminal.wait_for(" %");
    terminal.wait_for("\r\u{1b}[K");
    terminal.send("ls -l /big; exit 0\n");
    terminal.wait_for("67108864");
    assert_eq!(terminal.finish().0, 0);
    let forget =
        "docker rm -f $(docker ps -aqf ancestor=127.0.0.1:5000/team/image:1); docker rmi 127.0.0.1:5000/team/image:1";
    bench.root(forget);
    // And a program that waits for the same hears nothing.
    let other = bench.user_with("image: \"127.0.0.1:5000/team/image:1\"");
    assert_eq!(other.run_with(&["-T"], "echo out", b"").quiet_success(), "out");
}

#[test]
fn a_program_gets_no_notice_however_long_it_takes() {
    let bench = bench::alone();
    let user = bench.user();
    bench.user().run("true").success();
    let slow = hold_engine(&bench);
    let mut process = Process::start(user.ssh(&["-T"]).arg("cat; echo err >&2"));
    process.send(b"data".to_vec());
    // Long enough for several reports, were there any.
    thread::sleep(Duration::from_secs(7));
    drop(slow);
    let done = process.finish();
    assert_eq!((done.text().as_str(), done.errors().as_str()), ("data", "err\n"));
}

#[test]
fn a_client_that_leaves_during_the_creation_leaves_a_session_in_grace() {
    let bench = bench::alone();
    let user = bench.user();
    bench.user().run("true").success();
    let slow = hold_engine(&bench);
    let mut process = Process::start(user.ssh(&["-T"]).arg("true"));
    bench::eventually("the creation has begun", || user.sessions().first().is_some_and(|s| s["status"] == "creating"));
    process.kill();
    drop(slow);
    bench::eventually("the session is in grace", || user.sessions().first().is_some_and(|s| s["status"] == "grace"));
    assert_eq!(user.connections(), 0);
    user.run("true").success();
    assert_eq!(user.containers().len(), 1);
}
