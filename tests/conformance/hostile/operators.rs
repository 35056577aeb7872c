//! What a tenant may do to what an administrator runs.

use crate::bench::{self, Disturbance, orphan};

/// Removes the containers and the image of a test, whatever happened.
fn tidy<'a>(bench: &'a bench::Bench, containers: &str, image: &str) -> Disturbance<'a> {
    let remove =
        format!("docker rm --force {containers} >/dev/null 2>&1; docker rmi --force {image} >/dev/null 2>&1; true");
    Disturbance::of(bench, &remove, remove.clone())
}

#[test]
fn a_container_of_a_committed_image_is_never_removed() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let (container, image) = (user.container(), format!("rescued-{}:1", user.name));
    let [plain, with_volumes] = ["plain", "volumes"].map(|kind| format!("rescued-{}-{kind}", user.name));
    let _tidy = tidy(&bench, &format!("{plain} {with_volumes}"), &image);
    bench.root(&format!(
        "docker commit {container} {image} && docker run --detach --name {plain} --entrypoint sleep {image} 3600 &&
         docker run --detach --name {with_volumes} --volumes-from {container} --entrypoint sleep {image} 3600"
    ));
    let alive = || {
        let running = bench.root(&format!("docker inspect --format '{{{{.State.Running}}}}' {plain} {with_volumes}"));
        assert_eq!(running, "true\ntrue");
    };
    let copied = bench.root(&format!("docker inspect --format '{{{{json .Config.Labels}}}}' {plain}"));
    assert!(copied.contains("\"managed-by\":\"podspawn\"") && copied.contains("podspawn.session"), "{copied}");
    // While the session lives, while it is removed, and when nothing of it is left.
    bench.root("podspawn cleanup");
    alive();
    bench.root(&format!("podspawn stop {}", user.name));
    bench::eventually("the session is gone", || user.sessions().is_empty());
    let dry = bench.root("podspawn cleanup --dry-run");
    assert!(!dry.contains(&plain) && !dry.contains(&with_volumes), "{dry}");
    bench.root("podspawn cleanup");
    alive();
    let told = bench.bash(&[], "podspawn doctor --json").text();
    assert!(told.contains("left alone: ") && told.contains(&plain), "{told}");
    bench.root(&format!("docker inspect {container} >/dev/null 2>&1 && exit 1; true"));
}

#[test]
fn what_a_lost_database_leaves_is_still_removed() {
    let bench = bench::shared();
    let (name, id) = ("podspawn-lost", "00000000deadbee2");
    let _tidy = tidy(&bench, name, "nothing-of-that-name");
    bench.root(&orphan("run --detach", name, id));
    bench.root("podspawn cleanup");
    let left = format!("docker ps --all --quiet --filter name={name}; docker network ls --quiet --filter name={id}");
    assert_eq!(bench.root(&left), "");
    bench.root(&format!("test ! -e /run/podspawn/guests/{id}"));
}
