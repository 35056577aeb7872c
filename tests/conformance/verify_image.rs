//! `podspawn verify-image`: what it says of images that have everything, little, and broken parts, and that it leaves
//! nothing.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, eventually},
    client::{Finished, Process},
    first_connect::PUBLISH,
};
use serde_json::Value;
use std::collections::BTreeMap;

impl Bench {
    fn verify(&self, image: &str) -> Finished {
        self.bash(&[], &format!("podspawn verify-image --json {image}"))
    }

    /// The exit code, and the outcome and text of each line by its check.
    #[track_caller]
    fn verified(&self, image: &str) -> (Option<i32>, BTreeMap<String, (String, String)>) {
        let done = self.verify(image);
        let printed: Value = serde_json::from_slice(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        let lines = printed["checks"].as_array().unwrap();
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let printed = lines.iter().map(|line| {
            assert_eq!(line["outcome"] == "fail", line["outcome"] != "warn" && !text(line, "remedy").is_empty());
            (text(line, "check"), (text(line, "outcome"), text(line, "seen")))
        });
        (done.code, printed.collect())
    }

    #[track_caller]
    fn assert_nothing_verified_is_left(&self) {
        let left =
            "docker ps -aq --filter name=podspawn-verify; docker network ls -q --filter label=podspawn-user=podspawn";
        eventually("nothing is left", || self.root(left).is_empty());
    }
}

/// An image made of the workload by a script; named `podspawn-test-NAME`.
fn image_with(bench: &Bench, name: &str, script: &str) {
    bench.root(&format!(
        "docker rm -f {name} >/dev/null 2>&1; docker run --name {name} podspawn-workload bash -c '{script}' &&
         docker commit {name} podspawn-test-{name} >/dev/null && docker rm {name} >/dev/null"
    ));
}

fn failing(printed: &BTreeMap<String, (String, String)>) -> Vec<&str> {
    printed.iter().filter(|(_, line)| line.0 == "fail").map(|(check, _)| check.as_str()).collect()
}

#[test]
fn images_with_everything_with_little_and_with_one_binary_are_each_described_as_they_are() {
    let bench = bench::shared();
    let (code, printed) = bench.verified("podspawn-workload");
    assert_eq!((code, failing(&printed).len(), printed.len()), (Some(0), 0, 12), "{printed:?}");
    assert!(printed.values().all(|line| line.0 == "pass"), "{printed:?}");
    assert!(
        printed["git"].1.starts_with("git version") && printed["locale"].1 == "C.UTF-8, en_US.UTF-8",
        "{printed:?}"
    );

    let (code, printed) = bench.verified("podspawn-alpine-like");
    assert_eq!((code, failing(&printed)), (Some(0), vec![]), "{printed:?}");
    assert_eq!((printed["shell"].0.as_str(), printed["git"].0.as_str()), ("pass", "warn"));
    assert!(printed["shell"].1.starts_with("/bin/sh runs") && printed["sftp"].1.contains("own server"), "{printed:?}");

    let (code, printed) = bench.verified("podspawn-scratch");
    assert_eq!((code, failing(&printed)), (Some(1), vec!["shell"]), "{printed:?}");
    assert!(printed["account"].0 == "pass" && printed["home"].0 == "pass", "{printed:?}");
    assert!(printed["architecture"].1.contains("its programs are for"), "{printed:?}");
    bench.assert_nothing_verified_is_left();
}

#[test]
fn broken_parts_of_an_image_fail_at_their_own_lines() {
    let bench = bench::shared();
    // A shell without its loader, a git that hangs, an account in the way, no certificates.
    image_with(
        &bench,
        "broken",
        "printf \"#!/no/such/loader\\n\" >/bin/bash.new; chmod 755 /bin/bash.new; rm -f /etc/ssl/certs/ca-certificates.crt; \
         printf \"#!/bin/sh\\nsleep 600\\n\" >/usr/bin/git; echo dev:x:99999:99999::/home/dev:/bin/sh >>/etc/passwd; \
         mv /bin/bash.new /bin/bash",
    );
    let (code, printed) = bench.verified("podspawn-test-broken");
    assert_eq!((code, failing(&printed)), (Some(1), vec!["git", "shell"]), "{printed:?}");
    assert!(printed["shell"].1.contains("loader or its interpreter is missing"), "{printed:?}");
    assert!(printed["git"].1.contains("did not end within"), "{printed:?}");
    assert!(printed["account"].1.contains("uid 1000: the image gives the user's own to dev"), "{printed:?}");
    assert_eq!(printed["certificates"].0, "warn");
    // Accounts that cannot be read, and a home that cannot be made.
    image_with(&bench, "sealed", "seq -f \"x%.0f:x:7:7::/:/bin/sh\" 60000 >>/etc/passwd");
    let printed = bench.verified("podspawn-test-sealed").1;
    assert!(failing(&printed) == ["account"] && printed["account"].1.contains("larger than"), "{printed:?}");
    // What the engine itself stumbles over: a container of it does not even start.
    image_with(&bench, "stillborn", "rm /etc/passwd; mkdir /etc/passwd");
    let printed = bench.verified("podspawn-test-stillborn").1;
    assert!(
        failing(&printed) == ["architecture"] && printed["architecture"].1.contains("does not start"),
        "{printed:?}"
    );
    image_with(&bench, "homeless", "rm -rf /home; touch /home");
    assert_eq!(failing(&bench.verified("podspawn-test-homeless").1), ["home"]);
    // Set-uid means nothing where privileges cannot be gained, and sudo there is a promise that is not kept.
    image_with(&bench, "sudoer", "cp /bin/su /usr/bin/sudo; chmod 4755 /usr/bin/sudo");
    let (code, printed) = bench.verified("podspawn-test-sudoer");
    assert!(code == Some(0) && printed["set-uid"].0 == "warn" && printed["set-uid"].1.contains("sudo"), "{printed:?}");
    bench.assert_nothing_verified_is_left();
    bench.root(
        "docker rmi podspawn-test-broken podspawn-test-sealed podspawn-test-stillborn podspawn-test-homeless podspawn-test-sudoer >/dev/null",
    );
}

#[test]
fn an_image_that_is_not_there_and_a_name_that_is_none_are_refused_and_only_an_administrator_may_ask() {
    let bench = bench::shared();
    let done = bench.verify("127.0.0.1:1/absent:1");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.errors().starts_with("podspawn: image 127.0.0.1:1/absent:1 is not on this server"), "{done:?}");
    assert_eq!((done.text().as_str(), done.errors().lines().count()), ("", 1));
    for name in ["--privileged", "'a b'", "../etc", "$'a\\nb'"] {
        let done = bench.verify(&format!("-- {name}"));
        assert!(done.code == Some(2) && done.errors().contains("is not an image reference"), "{name}: {done:?}");
    }
    let user = bench.user();
    let denied =
        crate::peer::call(&bench, &user.name, "io.podspawn.Admin.VerifyImage", &serde_json::json!({"image": "a"}));
    assert_eq!(denied[0]["error"], "org.varlink.service.PermissionDenied", "{denied:?}");
    let done = bench.bash(&["-u", &user.name], "podspawn verify-image podspawn-workload");
    assert!(done.code == Some(1) && done.errors().contains("is for root"), "{done:?}");
    bench.assert_nothing_verified_is_left();
}

/// Starts looking at an image that takes ten seconds, and returns when its container runs.
fn begin(bench: &Bench) -> (Process, Disturbance<'_>) {
    image_with(bench, "slow", "printf \"#!/bin/sh\\nsleep 600\\n\" >/usr/bin/git");
    let forget = Disturbance::of(bench, "true", "docker rmi -f podspawn-test-slow >/dev/null");
    let process = Process::start(bench.command(&[]).args(["podspawn", "verify-image", "podspawn-test-slow"]));
    eventually("its container runs", || !bench.root("docker ps -q --filter name=podspawn-verify").is_empty());
    (process, forget)
}
