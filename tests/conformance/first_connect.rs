//! The first connection, which has to wait for a container to be made.

use crate::{
    bench::{self, Bench, Disturbance},
    client::{Finished, Process},
};
use std::{fs, process::Command, thread, time::Duration};

/// The engine, held still until dropped: creations take as long as the test wants.
fn hold_engine(bench: &Bench) -> Disturbance<'_> {
    Disturbance::of(bench, "kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)")
}

#[test]
fn a_person_at_a_terminal_is_told_what_takes_so_long() {
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

/// Gives the registry of the bench an image of 64 MiB that the engine has forgotten again.
pub(crate) const PUBLISH: &str = "
    set -e
    systemctl stop docker-registry
    printf '%s\n' 'version: 0.1' 'http: {addr: 127.0.0.1:5000}' \
        'storage: {filesystem: {rootdirectory: /run/podspawn-test/registry}}' >/run/podspawn-test/registry.yml
    systemctl reset-failed test-registry 2>/dev/null || true
    systemctl is-active --quiet test-registry ||
        systemd-run --quiet --unit test-registry docker-registry serve /run/podspawn-test/registry.yml
    docker rm -f publish >/dev/null 2>&1 || true
    docker run --name publish podspawn-alpine-like sh -c 'dd if=/dev/urandom of=/big bs=1M count=64 2>/dev/null'
    docker commit publish 127.0.0.1:5000/team/image:1
    docker rm publish
    for n in $(seq 50); do curl -fs http://127.0.0.1:5000/v2/ && break; sleep 0.2; done
    docker push -q 127.0.0.1:5000/team/image:1
    docker rmi 127.0.0.1:5000/team/image:1
";

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
fn a_program_is_told_nothing_however_long_it_takes() {
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
fn scp_rsync_git_and_sftp_begin_on_a_cold_host_without_a_word_of_ours() {
    let bench = bench::shared();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "x").unwrap();
    bench.user().scp(here.path(), &["-O", "file", ":"]).quiet_success();
    bench.user().scp(here.path(), &["-s", "file", ":"]).quiet_success();
    bench.user().sftp(here.path(), "put file\n").quiet_success();
    let ssh = format!("ssh -F {}", bench.file("ssh_config").display());
    let user = bench.user();
    let mut rsync = Command::new("rsync");
    rsync.args(["-a", "-e", &ssh, "file", &format!("{}:", user.name)]).current_dir(here.path());
    assert_eq!(Finished::of(&mut rsync, b"").quiet_success(), "");
    let user = bench.user();
    let mut git = Command::new("git");
    git.args(["ls-remote", &format!("{}:none.git", user.name)]).env("GIT_SSH_COMMAND", &ssh);
    let errors = Finished::of(&mut git, b"").errors();
    assert!(errors.contains("fatal: 'none.git'") && !errors.contains("podspawn"), "{errors}");
}

#[test]
fn a_command_on_a_cold_host_prints_its_own_output_only() {
    let bench = bench::shared();
    let done = bench.user().run_with(&["-T"], "cat; echo err >&2", b"\x00\xffdata");
    assert_eq!((done.out.as_slice(), done.errors().as_str()), (&b"\x00\xffdata"[..], "err\n"));
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
