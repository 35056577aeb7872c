//! The first connection, which has to wait for a container to be made.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance},
    client::{Finished, Process},
};
use std::{fs, process::Command, thread, time::Duration};

/// The engine, held still until dropped: creations take as long as the test wants.
fn hold_engine(bench: &Bench) -> Disturbance<'_> {
    Disturbance::of(bench, "kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)")
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
