//! What happens when a container or a network is taken away through the engine; and what networks sessions get.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, START_BROKER, STOP_BROKER, User, eventually},
    client::Finished,
    ends::assert_one_line,
    refusals::assert_refused,
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Back to an engine that answers and ends its containers with itself: a key that is absent when the file is read again
/// changes nothing. Its unit takes only three starts a minute.
pub(crate) const START_ENGINE: &str = "mkdir -p /etc/docker; echo '{\"live-restore\": false}' >/etc/docker/daemon.json; \
     systemctl reset-failed docker; systemctl start docker.socket docker; systemctl reload docker; \
     for i in $(seq 100); do docker info 2>/dev/null | grep -q 'Live Restore Enabled: false' && break; sleep 0.2; done; \
     rm /etc/docker/daemon.json";
const RESTART_ENGINE: &str = "systemctl reset-failed docker; systemctl restart docker";
pub(crate) const STOP_ENGINE: &str = "systemctl stop docker.socket docker 2>&1";
const KEEP_CONTAINERS: &str = "mkdir -p /etc/docker; echo '{\"live-restore\": true}' >/etc/docker/daemon.json; \
     systemctl reload docker; until docker info 2>/dev/null | grep -q 'Live Restore Enabled: true'; do sleep 0.1; done";

impl User<'_> {
    /// Row, container and network are gone, or there is one of each.
    #[track_caller]
    fn assert_all_agree(&self, count: usize) {
        eventually("row, container and network agree", || {
            (self.sessions().len(), self.containers().len(), self.networks()) == (count, count, count)
        });
    }

    /// Runs a verb of podspawn as this user on the bench host.
    fn verb(&self, arguments: &[&str]) -> Finished {
        let mut command = self.bench.command(&["-u", &self.name]);
        Finished::of(command.arg("podspawn").args(arguments), b"")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.verb(&["status", "--json"]).quiet_success()).unwrap()
    }
}

impl Bench {
    /// What the log says of why a user's last container was removed.
    #[track_caller]
    fn reason(&self, user: &User<'_>) -> String {
        let script = format!(
            "journalctl -u podspawn-broker -o json --no-pager PODSPAWN_USER={} PODSPAWN_EVENT=container_destroy \
             | jq -r .PODSPAWN_REASON | tail -n 1",
            user.name
        );
        eventually("the reason is in the log", || !self.root(&script).is_empty());
        self.root(&script)
    }
}

#[test]
fn a_connected_user_sees_why_the_container_ended() {
    let bench = bench::shared();
    for (end, line) in [
        ("docker kill CONTAINER", "killed by the engine"),
        ("docker rm --force CONTAINER", "removed outside of podspawn"),
        // The kernel takes the first process first, when two others want more than there is.
        (
            "echo 1000 >/proc/$(docker inspect --format '{{.State.Pid}}' CONTAINER)/oom_score_adj; \
             docker exec CONTAINER sh -c 'tail /dev/zero & exec tail /dev/zero'",
            "killed: out of memory",
        ),
        ("kill -KILL $(docker inspect --format '{{.State.Pid}}' CONTAINER)", "killed by signal 9"),
    ] {
        let user = bench.user_with("memory: 128m");
        let process = user.start(&[], "echo ready; exec sleep 1000");
        let begun = Instant::now();
        bench.bash(&[], &end.replace("CONTAINER", &user.container()));
        let done = process.finish();
        assert_eq!(done.code, Some(255), "{line}: {done:?}");
        assert_one_line(&done);
        assert_eq!(done.errors(), format!("podspawn: your container was {line}\n"));
        assert!(begun.elapsed() < Duration::from_secs(20), "{line}: {:?}", begun.elapsed());
        assert_eq!(bench.reason(&user), line);
        user.assert_all_agree(0);
    }
}

#[test]
fn a_process_that_runs_out_of_memory_ends_no_session() {
    let bench = bench::shared();
    let user = bench.user_with("memory: 128m");
    let _held = user.start(&[], "echo ready; exec sleep 1000");
    let container = user.container();
    assert!(user.run("exec tail /dev/zero").code.unwrap() >= 128);
    assert_eq!((user.connections(), user.container()), (1, container.clone()));
    // Nor is it taken for the reason of a later end.
    std::thread::sleep(Duration::from_secs(3));
    bench.root(&format!("kill -KILL $(docker inspect --format '{{{{.State.Pid}}}}' {container})"));
    user.assert_all_agree(0);
    assert_eq!(bench.reason(&user), "killed by signal 9");
}

#[test]
fn an_abandoned_container_that_an_administrator_removes_is_forgotten_at_once() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    eventually("no connection is counted", || user.connections() == 0);
    bench.root(&format!("docker rm --force {}", user.container()));
    let begun = Instant::now();
    eventually("the session is gone", || user.sessions().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    user.assert_all_agree(0);
    assert_eq!(user.run("echo again").success(), "again");
}

#[test]
fn a_session_whose_network_was_taken_away_goes_on_and_ends_in_order() {
    let bench = bench::shared();
    let user = bench.user();
    let _held = user.start(&[], "echo ready; exec sleep 1000");
    let container = user.container();
    bench.root(&format!(
        "network=$(docker network ls --quiet --filter label=podspawn-user={}); \
         docker network disconnect --force $network {container}; docker network rm $network",
        user.name
    ));
    assert_eq!(user.run("echo still").success(), "still");
    assert_eq!((user.networks(), user.container()), (0, container));
    user.verb(&["stop"]).quiet_success();
    user.assert_all_agree(0);
    assert_eq!(user.run("echo again").success(), "again");
    user.assert_all_agree(1);
}

#[test]
fn a_user_lists_counts_and_stops_its_own_sessions_and_no_others() {
    let bench = bench::shared();
    let (user, other) = (bench.user(), bench.user());
    let _held = user.start(&[], "echo ready; exec sleep 1000");
    user.ssh_in("one", "true").success();
    let _other = other.start(&[], "echo ready; exec sleep 1000");
    eventually("the second is in grace", || user.status()["grace"] == 1);
    let status = user.status();
    for (number, value) in [("sessions", 2), ("running", 1), ("connections", 1), ("containers", 2)] {
        assert_eq!(status[number], value, "{number}: {status}");
    }
    assert!(status["oldestSeconds"].as_u64().is_some_and(|age| age < 600), "{status}");
    let text = user.verb(&["status"]).quiet_success();
    assert!(
        text.starts_with("Sessions     2 (1 running, 1 grace)\nConnections  1\nContainers   2\nOldest       "),
        "{text}"
    );
    let list = user.verb(&["list"]).quiet_success();
    assert!(
        list.lines().skip(1).count() == 2 && list.lines().skip(1).all(|line| line.starts_with(&user.name)),
        "{list}"
    );
    let refused = user.verb(&["stop", &other.name]);
    assert_eq!((refused.code, refused.out.len()), (Some(1), 0), "{refused:?}");
    assert_one_line(&refused);
    user.verb(&["stop", "@one"]).quiet_success();
    eventually("it is gone", || user.sessions().len() == 1);
    user.verb(&["stop"]).quiet_success();
    user.assert_all_agree(0);
    assert_eq!(other.connections(), 1);
    let of_root = bench.bash(&[], "podspawn stop");
    assert!(of_root.code == Some(1) && of_root.errors().contains("podspawn stop USER"), "{of_root:?}");
    let of_all: Value = serde_json::from_str(&bench.root("podspawn status --json")).unwrap();
    assert!(of_all["sessions"].as_u64() >= Some(1) && of_all["containers"].as_u64() >= Some(1), "{of_all}");
}
