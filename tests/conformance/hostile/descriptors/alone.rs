//! What takes the bench host for itself.

use super::*;

#[test]
fn descriptors_in_flight_of_a_containers_root_keep_no_user_from_a_terminal() {
    // They are counted for uid 0 of the whole host: nothing else should need them meanwhile.
    let bench = bench::alone();
    let (user, other) = (user_who_is_root(&bench), bench.user());
    other.run("true").success();
    carry_in(&user);
    let order = |hold_ms| serde_json::to_string(&Order::InFlight { hold_ms }).unwrap();
    let attack = format!(
        "PODSPAWN_PEER='{}' exec /tmp/peer --exact peer::the_broker_describes_itself_to_every_caller --nocapture",
        order(15_000)
    );
    let flood = user.start(&[], &attack);
    let terminal = |user: &User<'_>| {
        let terminal = user.terminal(Some("echo in:$((40 + 2)):; exit 5"));
        terminal.finish()
    };
    for user in [&other, &user] {
        let (code, shown) = terminal(user);
        assert!(code == 5 && shown.contains("in:42:"), "{code} {shown:?}");
    }
    drop(flood);
    assert_eq!(user.run("ulimit -Hn; ulimit -Sn; grep -i 'open files' /proc/self/limits | tr -s ' '").success(), {
        "8192\n8192\nMax open files 8192 8192 files "
    });
    let first = bench.root(&format!(
        "grep 'open files' /proc/$(docker inspect --format '{{{{.State.Pid}}}}' {})/limits",
        other.container()
    ));
    assert!(first.split_whitespace().nth(3) == Some("16384"), "{first}");
    // An administrator's own process in a container has the first one's limit. Then the truth is printed.
    let mut exec = bench.command(&[]);
    exec.args(["docker", "exec", "--user", "0", "--env", &format!("PODSPAWN_PEER={}", order(6000))]);
    exec.args([&user.container(), "/tmp/peer", "--exact", "peer::the_broker_describes_itself_to_every_caller"]);
    let mut flood = Process::start(exec.arg("--nocapture"));
    let mut last = (0, String::new());
    eventually("a terminal is refused", || {
        last = terminal(&other);
        last.0 == 255 || flood.has_ended()
    });
    assert!(last.0 == 255 && last.1.contains("too many file descriptors are being sent on this server"), "{last:?}");
    assert!(!last.1.contains("the container is gone"), "{last:?}");
    let flood = flood.finish();
    assert!(flood.errors().contains("Too many references"), "{flood:?}");
    eventually("a terminal is given again", || terminal(&other).0 == 5);
    forget(&user);
}
