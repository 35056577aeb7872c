//! What takes the bench host for itself.

use super::*;

#[test]
fn an_engine_that_is_restarted_ends_its_sessions_and_the_next_login_works() {
    let bench = bench::alone();
    let user = bench.user();
    let mut shell = user.shell();
    let process = user.start(&[], "echo ready; exec sleep 1000");
    bench.root(RESTART_ENGINE);
    assert_ne!(process.finish().code, Some(0));
    eventually("the shell has ended", || shell.has_ended());
    user.assert_all_agree(0);
    assert!(bench.reason(&user).starts_with("stopped by the engine"), "{}", bench.reason(&user));
    assert_eq!(user.run("echo again").success(), "again");
    user.assert_all_agree(1);
}

#[test]
fn sessions_live_on_where_the_engine_keeps_containers_alive() {
    let bench = bench::alone();
    let user = bench.user();
    let mut shell = user.shell();
    let container = user.container();
    let _mended = Disturbance::of(&bench, KEEP_CONTAINERS, START_ENGINE);
    bench.root(RESTART_ENGINE);
    shell.send("echo after:$((40 + 2))\n");
    shell.wait_for("after:42");
    assert_eq!(user.run("echo in").success(), "in");
    assert_eq!(user.container(), container);
    // Without any engine, through a restart of the broker: nothing needs it as long as nothing is made.
    bench.root(STOP_ENGINE);
    bench.root("systemctl restart podspawn-broker.service");
    shell.send("echo without:$((40 + 3))\n");
    shell.wait_for("without:43");
    assert_eq!(user.run("echo in").success(), "in");
    assert_eq!((user.connections(), &user.status()["containers"]), (1, &Value::Null));
    assert!(user.verb(&["status"]).quiet_success().contains("Containers   unknown"));
    let other = bench.user();
    assert_refused(&other.run("true"), &["the container engine does not answer"]);
    let returns =
        || bench.root("journalctl --quiet --no-pager --output cat PODSPAWN_EVENT=engine_back").lines().count();
    let before = returns();
    bench.root("systemctl reset-failed docker; systemctl start docker.socket docker");
    eventually("the engine answers", || user.status()["containers"] == 1);
    // The broker looks for it every two seconds at most, and hears from then on by whom a container is killed.
    eventually("the broker watches it", || returns() > before);
    assert_eq!(user.container(), container);
    user.assert_all_agree(1);
    other.assert_all_agree(0);
    // And what ends from now on is noticed again.
    bench.root(&format!("docker kill {container}"));
    let (code, shown) = shell.finish();
    assert!(code == 255 && shown.contains("podspawn: your container was killed by the engine"), "{code} {shown:?}");
}

#[test]
fn a_broker_that_starts_without_an_engine_waits_for_it() {
    let bench = bench::alone();
    let (user, other) = (bench.user(), bench.user());
    let held = user.start(&[], "echo ready; exec sleep 1000");
    {
        let _broker = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
        let _engine = Disturbance::of(&bench, STOP_ENGINE, START_ENGINE);
        assert_ne!(held.finish().code, Some(0));
        bench.root(START_BROKER);
        assert_refused(&other.run("true"), &["the container engine does not answer"]);
        // Whether the old container is there is unknown, so nothing is concluded and nothing is made.
        assert_refused(&user.run("true"), &["the container engine does not answer"]);
        assert_eq!(user.sessions().len(), 1);
    }
    user.assert_all_agree(0);
    other.assert_all_agree(0);
    assert_eq!(user.run("echo again").success(), "again");
    user.assert_all_agree(1);
}

#[test]
fn a_route_into_the_whole_pool_is_a_refusal_that_names_both() {
    let bench = bench::alone();
    let (user, other) = (bench.user(), bench.user());
    user.run("echo x >~/kept").success();
    let via = "via $(ip -4 route show default | cut -d' ' -f3)";
    {
        let _routed =
            Disturbance::of(&bench, &format!("ip route add 10.208.0.0/12 {via}"), "ip route del 10.208.0.0/12");
        assert_refused(&other.run("true"), &["network.pool 10.209.0.0/16", "10.208.0.0/12 on eth0"]);
        other.assert_all_agree(0);
        assert_eq!(user.run("cat ~/kept").success(), "x");
    }
    let _routed = Disturbance::of(&bench, &format!("ip route add 10.209.0.0/17 {via}"), "ip route del 10.209.0.0/17");
    assert_eq!(other.run("echo in").success(), "in");
    let subnet = bench.root(&format!(
        "docker network inspect --format '{{{{(index .IPAM.Config 0).Subnet}}}}' \
         $(docker network ls --quiet --filter label=podspawn-user={})",
        other.name
    ));
    assert_eq!(subnet, "10.209.128.0/28");
}

#[test]
fn a_pool_without_a_free_subnet_is_a_refusal_until_one_is_given_back() {
    let bench = bench::alone();
    let (user, other) = (bench.user(), bench.user());
    let _small = Disturbance::of_config(&bench, "sed '$a network: { pool: 10.220.0.0/28, prefix: 28 }'");
    user.run("true").success();
    assert_refused(&other.run("true"), &["the server has no network left", "network.pool"]);
    other.assert_all_agree(0);
    user.verb(&["stop"]).quiet_success();
    user.assert_all_agree(0);
    assert_eq!(other.run("echo in").success(), "in");
}
