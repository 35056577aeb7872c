//! What takes the bench host for itself.

use super::*;

#[test]
fn ten_thousand_connections_of_one_user_keep_no_other_user_out() {
    let bench = bench::alone();
    let user = bench.user();
    bench.user().run("true").success();
    let before = broker_pid(&bench);
    std::thread::scope(|scope| {
        let order = Order::Many { socket: BROKER.into(), count: 10_000, bytes: String::new(), hold_ms: 8000 };
        let (bench, name) = (&bench, user.name.as_str());
        let connections = scope.spawn(move || peer::send(bench, name, &order));
        let open = "ss --no-header --unix src /run/podspawn/broker.sock | wc -l";
        eventually("connections are open", || bench.root(open).parse::<u32>().unwrap() > 50);
        assert_serves(bench);
        let found = connections.join().unwrap();
        assert!(found["held"].as_u64().unwrap() <= 256, "{found}");
    });
    assert_eq!(broker_pid(&bench), before);
    eventually("the user gets in again", || user.run("true").code == Some(0));
}
