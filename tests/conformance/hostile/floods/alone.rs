//! What takes the bench host for itself.

use super::*;

#[test]
fn long_commands_of_one_user_fill_neither_the_audit_log_nor_the_journal_nor_the_state() {
    const TIMES: usize = 300;
    let bench = bench::alone();
    let user = bench.user();
    user.run("true").success();
    let (log, state) = ("/var/log/podspawn/*", "/var/lib/podspawn/state.db*");
    let before = size(&bench, log);
    let mut call = json!({
        "method": "io.podspawn.Sessions.Attach",
        "parameters": { "environment": {}, "command": BASE64_STANDARD.encode(vec![1; 20_000]) }
    })
    .to_string()
    .into_bytes();
    call.push(0);
    let order = Order::Repeat { socket: BROKER.into(), bytes: BASE64_STANDARD.encode(call), times: TIMES };
    let begin = Instant::now();
    assert_eq!(peer::send(&bench, &user.name, &order)["replies"], TIMES);
    let (spent, written) = (begin.elapsed(), size(&bench, log) - before);
    eprintln!(
        "{TIMES} commands of 20,000 bytes in {spent:?}: {written} bytes of logs, {} of state",
        size(&bench, state)
    );
    eventually("the connections are over", || user.connections() == 0);
    // What waits for its minute is written when the broker ends.
    bench.root("systemctl restart podspawn-broker.service");
    let events = audited(&user);
    let counted: u64 =
        named(&events, "not_written").iter().filter_map(|event| event["counts"]["connect"].as_u64()).sum();
    let connects = named(&events, "connect");
    // The first is the login above.
    assert_eq!(connects.len() as u64 + counted, TIMES as u64 + 1, "each is written or counted");
    assert!(counted > 50 && connects.len() > 100, "{counted} counted");
    assert_eq!(named(&events, "disconnect").len(), connects.len());
    let whole = connects.iter().filter(|event| event["command_bytes"] == 20_000).count();
    assert_eq!(whole, connects.len() - 1);
    // printf '\1%.0s' $(seq 20000) | sha256sum
    let hash = "b473271113c7461a8fe3eadb8fb59f95ba13729e8d993d834162c6fdbddeac47";
    assert!(connects[1..].iter().all(|event| event["command_sha256"] == hash));
    assert!(named(&events, "command").iter().all(|event| event.get("command").is_none()), "written once");
    assert!(size(&bench, log) - before < 8 << 20, "{}", size(&bench, log) - before);
    let logged = bench.root(&format!(
        "journalctl --quiet --since '{} UTC' PODSPAWN_USER={} PODSPAWN_EVENT=connect | wc -l",
        bench.began().replace('T', " "),
        user.name
    ));
    assert!(logged.parse::<usize>().unwrap() <= connects.len(), "{logged} in the journal");
    eventually("the state has given back what it took", || size(&bench, state) < 5 << 20);
    // No other user is counted.
    let other = bench.user();
    other.run("true").success();
    eventually("another user's are written", || named(&audited(&other), "disconnect").len() == 1);
    assert!(named(&audited(&other), "not_written").is_empty());
}

/// One user sends large messages on as many connections as it may have, again and again. Neither the broker nor another
/// user notices.
fn hammer(beginning: &str, middle: &str, end: &str) {
    let bench = bench::alone();
    let (alice, bob) = (bench.user(), bench.user());
    bob.run("true").success();
    let (pid, quiet) = (broker_pid(&bench), login(&bob));
    let order = Order::Hammer {
        socket: BROKER.into(),
        connections: 127,
        beginning: beginning.into(),
        middle: middle.into(),
        end: end.into(),
        hold_ms: 15_000,
    };
    let share = std::thread::scope(|scope| {
        let (bench, order, alice) = (&bench, &order, &alice.name);
        let attack = scope.spawn(move || peer::send(bench, alice, order));
        // What it may send at once is over by then.
        std::thread::sleep(Duration::from_secs(5));
        let (begin, before) = (Instant::now(), processor_time(bench, &pid));
        let attacked = login(&bob);
        std::thread::sleep(Duration::from_secs(7).saturating_sub(begin.elapsed()));
        let share = (processor_time(bench, &pid) - before) / begin.elapsed().as_secs_f64();
        let found = attack.join().unwrap();
        eprintln!("a login: {quiet:?}, attacked {attacked:?}; the broker took {share:.2} of a processor; {found}");
        share
    });
    assert!(share < 0.2, "{share} of a processor");
    assert_eq!(broker_pid(&bench), pid);
    assert_serves(&bench);
    eventually("the user itself gets in again", || alice.run("true").code == Some(0));
}

#[test]
fn wide_messages_of_one_user_take_no_time_of_others() {
    hammer("{\"method\":\"a.b.C\",\"parameters\":[", "0,", "0]}");
}

#[test]
fn long_messages_of_one_user_take_no_time_of_others() {
    hammer("{\"method\":\"io.podspawn.Sessions.Attach\",\"parameters\":{\"command\":\"", "AAAA", "\"}}");
}
