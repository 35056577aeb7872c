//! Refusals: one clear line on stderr, exit code 255, and nothing half-created.

mod alone;

use crate::{
    bench::{self, Disturbance, START_BROKER, STOP_BROKER, User, eventually},
    client::{Finished, Process},
    ends::assert_one_line,
    engine::{START_ENGINE, STOP_ENGINE},
};
use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

impl User<'_> {
    /// Runs a command in a project, which the client names as `ssh NAME.pod` would.
    #[track_caller]
    pub(crate) fn ssh_in(&self, project: &str, command: &str) -> Finished {
        self.run_with(&["-o", &format!("SetEnv=PODSPAWN_PROJECT={project}")], command, b"")
    }

    /// Nothing of it is on the host: no container, no network, no row.
    #[track_caller]
    fn assert_nothing_left(&self) {
        eventually("nothing is left", || {
            let left = self.bench.root(&format!(
                "docker ps -aq --filter label=podspawn-user={0}; docker network ls -q --filter label=podspawn-user={0}",
                self.name
            ));
            left.is_empty() && self.sessions().is_empty()
        });
        let name = &self.name;
        let rows = self.bench.root(&format!(
            "sqlite3 /var/lib/podspawn/state.db \"select count(*) from sessions where user = '{name}'\""
        ));
        assert_eq!(rows, "0");
    }
}

/// Refused with a line that has all of this in it.
#[track_caller]
pub(crate) fn assert_refused(done: &Finished, parts: &[&str]) {
    assert_eq!((done.code, done.text().as_str()), (Some(255), ""), "{done:?}");
    assert_one_line(done);
    for part in parts {
        assert!(done.errors().contains(part), "{part}: {done:?}");
    }
}

#[test]
fn an_unknown_project_is_refused_by_name_with_those_that_are_open() {
    let bench = bench::shared();
    let user = bench.user();
    let done = user.ssh_in("nope", "true");
    assert_refused(&done, &["no project \"nope\"", "you may use:", "brief"]);
    assert!(!done.errors().contains("closed"), "{done:?}");
    user.assert_nothing_left();
}

#[test]
fn a_project_that_is_not_open_to_the_user_is_refused_by_name() {
    let bench = bench::shared();
    let user = bench.user();
    assert_refused(&user.ssh_in("closed", "true"), &["project \"closed\" is not open to", &user.name]);
    user.assert_nothing_left();
}

#[test]
fn a_project_has_a_container_of_its_own_and_its_suffix_is_stripped() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("echo home >~/where").success();
    assert_eq!(user.ssh_in("one", "echo one >~/where; cat ~/where").success(), "one");
    assert_eq!(user.ssh_in("one.pod", "cat ~/where").success(), "one");
    assert_eq!(user.run("cat ~/where").success(), "home");
    assert_eq!(user.containers().len(), 2);
}

#[test]
fn a_missing_image_is_refused_by_name() {
    let bench = bench::shared();
    let user = bench.user_with("image: \"no-such-image:7\"");
    assert_refused(&user.run("true"), &["image no-such-image:7 is not on this server"]);
    user.assert_nothing_left();
    let (code, shown) = user.terminal(None).finish();
    assert_eq!(code, 255, "{shown:?}");
    assert!(shown.contains("image no-such-image:7 is not on this server"), "{shown:?}");
}

#[test]
fn a_file_transfer_that_is_refused_says_why() {
    let bench = bench::shared();
    let user = bench.user_with("image: \"no-such-image:7\"");
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("file"), "x").unwrap();
    let old = user.scp(here.path(), &["-O", "file", ":"]);
    assert_ne!(old.code, Some(0));
    assert!(old.errors().contains("podspawn: image no-such-image:7 is not on this server"), "{old:?}");
    // sshd throws away what a subsystem says on stderr: sftp can show the end only.
    for done in [user.sftp(here.path(), "pwd\n"), user.scp(here.path(), &["-s", "file", ":"])] {
        assert_eq!((done.code, done.errors().contains("Connection closed")), (Some(255), true), "{done:?}");
    }
}

#[test]
fn an_account_without_keys_is_refused_by_sshd() {
    let bench = bench::shared();
    let user = bench.user();
    bench.root(&format!("rm /etc/podspawn/keys/{}", user.name));
    let done = user.run("true");
    assert_eq!(done.code, Some(255));
    assert!(done.errors().contains("Permission denied (publickey"), "{done:?}");
    user.assert_nothing_left();
}

#[test]
fn forwarding_is_refused() {
    let bench = bench::shared();
    let user = bench.user();
    let through = Finished::of(&mut user.ssh(&["-W", "127.0.0.1:22"]), b"");
    assert_ne!(through.code, Some(0), "{through:?}");
    for words in ["administratively prohibited: open failed", "stdio forwarding failed"] {
        assert!(through.errors().contains(words), "{through:?}");
    }
    // To a socket of the host: the engine's would be root.
    let here = tempfile::tempdir().unwrap();
    let local = here.path().join("s");
    let forward = format!("{}:/run/docker.sock", local.display());
    let _forwards = Process::start(&mut user.ssh(&["-N", "-L", &forward]));
    eventually("ssh listens", || local.exists());
    let mut stream = std::os::unix::net::UnixStream::connect(&local).unwrap();
    let _ = stream.write_all(b"GET /version HTTP/1.0\r\n\r\n");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = Vec::new();
    // Closed, with or without a reset.
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    let mut remote = user.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"]);
    let remote = Process::start(&mut remote).finish_within(Duration::from_secs(60));
    assert_ne!(remote.code, Some(0));
    assert!(remote.errors().contains("remote port forwarding failed for listen port"), "{remote:?}");
}
