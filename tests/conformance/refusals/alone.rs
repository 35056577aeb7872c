//! What takes the bench host for itself.

use super::*;

#[test]
fn an_engine_that_is_down_is_a_refusal_and_a_login_later_works() {
    let bench = bench::alone();
    let user = bench.user();
    {
        let _down = Disturbance::of(&bench, STOP_ENGINE, START_ENGINE);
        assert_refused(&user.run("true"), &["the container engine does not answer"]);
    }
    user.assert_nothing_left();
    assert_eq!(user.run("echo back").success(), "back");
}

#[test]
fn a_broker_that_does_not_answer_is_a_refusal_in_time() {
    let bench = bench::alone();
    let user = bench.user();
    bench.user().run("true").success();
    {
        let stop = "systemctl kill --signal=STOP podspawn-broker.service";
        let _hung = Disturbance::of(&bench, stop, "systemctl kill --signal=CONT podspawn-broker.service || true");
        assert_refused(&user.run("true"), &["the podspawn broker did not answer within", "try again"]);
    }
    assert_eq!(user.run("echo back").success(), "back");
}

#[test]
fn a_broker_that_is_stopped_for_good_is_a_refusal() {
    let bench = bench::alone();
    let user = bench.user();
    {
        let _down = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
        assert_refused(&user.run("true"), &["the podspawn broker cannot be reached", "systemctl status"]);
    }
    assert_eq!(user.run("echo back").success(), "back");
}

#[test]
fn a_disk_that_is_full_is_a_refusal_and_nothing_is_half_created() {
    let bench = bench::alone();
    let user = bench.user();
    bench.user().run("true").success();
    // The rows cannot be written: what a full disk does to SQLite, without filling one that others use.
    {
        let stop = "systemctl stop podspawn-broker.service; cp -a /var/lib/podspawn /run/podspawn-test/state; \
                    mount -t tmpfs -o size=20m,mode=0700,uid=$(id -u podspawn),gid=$(id -g podspawn) none /var/lib/podspawn; \
                    cp -a /run/podspawn-test/state/state.db* /var/lib/podspawn/; \
                    dd if=/dev/zero of=/var/lib/podspawn/fill bs=4k 2>/dev/null; true";
        let start = "systemctl stop podspawn-broker.service; umount /var/lib/podspawn; rm -rf /run/podspawn-test/state";
        let _full = Disturbance::of(&bench, stop, start);
        let done = user.run("true");
        assert_refused(&done, &["podspawn: "]);
        assert!(done.errors().contains("disk") || done.errors().contains("the podspawn broker"), "{done:?}");
        let left = bench.root(&format!("docker ps -aq --filter label=podspawn-user={}", user.name));
        assert_eq!(left, "");
    }
    assert_eq!(user.run("echo back").success(), "back");
}

#[test]
fn a_configuration_with_a_mistake_keeps_the_last_good_one() {
    let bench = bench::alone();
    let user = bench.user();
    user.run("true").success();
    {
        let stop = "cp /etc/podspawn/projects.yaml /run/podspawn-test/projects.yaml; echo 'one: [' >/etc/podspawn/projects.yaml";
        let _broken =
            Disturbance::of(&bench, stop, "cat /run/podspawn-test/projects.yaml >/etc/podspawn/projects.yaml");
        assert_eq!(user.ssh_in("one", "echo served").success(), "served");
        let printed = bench.root("podspawn check-config 2>&1 || true");
        assert!(printed.contains("/etc/podspawn/projects.yaml:1:"), "{printed}");
    }
    assert_eq!(user.ssh_in("one", "echo served").success(), "served");
}
