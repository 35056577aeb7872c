//! What takes the bench host for itself.

use super::*;

#[test]
fn a_login_that_waits_for_its_container_survives_a_killed_broker() {
    let bench = bench::alone();
    let user = bench.user();
    // Before, while and after the container is made.
    for pause in [50, 400, 1200] {
        let mut process = Process::start(user.ssh(&[]).arg("echo in"));
        process.send(Vec::new());
        std::thread::sleep(Duration::from_millis(pause));
        bench.root("systemctl kill --signal=KILL podspawn-broker.service 2>/dev/null || true");
        assert_eq!(process.finish().success(), "in");
        bench.root(&format!("podspawn stop {0} 2>/dev/null || true", user.name));
        eventually("it is gone", || user.sessions().is_empty());
    }
    assert!(user.containers().is_empty());
}

#[test]
fn a_stop_of_a_session_in_use_is_not_forgotten_by_a_killed_broker() {
    let bench = bench::alone();
    let user = bench.user_with("mode: named");
    let _process = user.start(&[], "trap '' HUP; echo ready; while :; do sleep 1; done");
    let name = &user.name;
    bench.root(&format!("podspawn stop {name} && systemctl kill --signal=KILL podspawn-broker.service"));
    eventually("it is gone", || user.sessions().is_empty() && user.containers().is_empty());
}

#[test]
fn a_killed_broker_is_not_noticed() {
    let bench = bench::alone();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let large = bytes(1 << 20).repeat(1024);
    fs::write(here.path().join("large"), &large).unwrap();
    drop(large);
    let mut shells = [user.shell(), user.shell()];
    let mut scp = user.client("scp");
    let copy = Process::start(scp.arg("large").arg(format!("{}:copied", user.name)).current_dir(here.path()));
    eventually("the copy has begun", || user.run("test -s copied").code == Some(0));
    let pid = || bench.root("systemctl show -P MainPID podspawn-broker.service");
    let before = pid();
    bench.root("systemctl kill --signal=KILL podspawn-broker.service");
    for (number, shell) in shells.iter_mut().enumerate() {
        shell.send(format!("echo shell:$(({number} + 40)):\n"));
        shell.wait_for(&format!("shell:{}:", 40 + number));
    }
    assert_eq!(user.run("echo next login").success(), "next login");
    eventually("systemd shows it active again", || {
        bench.root("systemctl is-active podspawn-broker.service || true") == "active" && pid() != before
    });
    let copied = copy.finish_within(Duration::from_secs(300));
    assert_eq!((copied.code, copied.errors()), (Some(0), String::new()));
    let sum =
        Finished::of(std::process::Command::new("sha256sum").arg("large").current_dir(here.path()), b"").success();
    assert_eq!(user.run("sha256sum large copied 2>/dev/null | sed s/copied/large/; rm copied").success(), sum);
    assert_eq!(user.connections(), 2);
    for shell in shells {
        shell.send("exit 6\n");
        assert_eq!(shell.finish().0, 6);
    }
    eventually("the count is exact again", || user.connections() == 0);
    assert_eq!(user.containers().len(), 1);
}

#[test]
fn a_broker_that_is_restarted_knows_which_connections_stayed_and_which_ended_meanwhile() {
    let bench = bench::alone();
    let user = bench.user();
    let mut leaves = user.start(&[], TRAPS_HUP);
    let _stays = user.start(&[], "echo ready; exec sleep 1000");
    let down = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
    leaves.kill();
    leaves.finish();
    let hung_up = || user.inside(&format!("cat /home/{}/hung-up", user.name)).text() == "hung up\n";
    eventually("the process was hung up without a broker", hung_up);
    drop(down);
    eventually("the connection that stayed is counted", || user.connections() == 1);
}

#[test]
fn a_restarted_broker_ends_a_session_whose_container_is_gone() {
    let bench = bench::alone();
    let user = bench.user();
    user.run("true").success();
    let down = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
    bench.root(&format!("docker rm --force {}", user.container()));
    drop(down);
    assert_eq!(user.run("echo back").success(), "back");
    assert_eq!(user.containers().len(), 1);
}
