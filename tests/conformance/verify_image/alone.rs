//! What takes the bench host for itself.

use super::*;

#[test]
fn an_image_is_pulled_and_a_person_sees_how_far_it_is() {
    let bench = bench::alone();
    bench.root(PUBLISH);
    let _registry = Disturbance::of(&bench, "true", "systemctl stop test-registry; rm -rf /run/podspawn-test/registry");
    let image = "127.0.0.1:5000/team/image:1";
    // On a terminal, which script(1) gives it.
    let shown = bench.root(&format!("script -qec 'podspawn verify-image {image}' /dev/null"));
    assert!(shown.contains(&format!("podspawn: pulling {image}")) && shown.contains("looking at"), "{shown:?}");
    assert!(shown.contains("\r\u{1b}[K") && shown.contains("architecture"), "{shown:?}");
    bench.root(&format!("docker rmi {image} >/dev/null"));
}

#[test]
fn a_broker_that_is_killed_meanwhile_leaves_nothing_that_the_next_pass_does_not_remove() {
    let bench = bench::alone();
    let (process, _forget) = begin(&bench);
    // A pass beside it leaves it alone.
    assert!(!bench.root("podspawn cleanup").contains("podspawn-verify"));
    bench.root("systemctl kill --signal=KILL --kill-whom=main podspawn-broker.service");
    let done = process.finish();
    assert!(done.code == Some(1) && done.errors().contains("podspawn broker"), "{done:?}");
    let removed = bench.root("podspawn cleanup");
    assert!(removed.contains("podspawn-verify") && removed.contains("it belongs to no session"), "{removed}");
    bench.assert_nothing_verified_is_left();
    assert_eq!(bench.root("podspawn cleanup --dry-run"), "");
}

#[test]
fn a_client_that_gives_up_leaves_nothing() {
    let bench = bench::alone();
    let (mut process, _forget) = begin(&bench);
    bench.root("pkill --signal INT --exact --full 'podspawn verify-image podspawn-test-slow'");
    eventually("it ends", || process.has_ended());
    eventually("its container is gone", || bench.root("docker ps -aq --filter name=podspawn-verify").is_empty());
    bench.assert_nothing_verified_is_left();
}
