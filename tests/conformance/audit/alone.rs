//! What takes the bench host for itself.

use super::*;

#[test]
fn a_cleanup_that_removes_something_is_recorded() {
    let bench = bench::alone();
    let name = "podspawn-nobodys";
    bench.root(&format!("{}; podspawn cleanup", bench::orphan("create", name, "00000000deadbea0")));
    let all = events(&bench);
    let destroyed = all.iter().rfind(|event| event["event"] == "container_destroy" && event["container"] == name);
    assert_eq!(destroyed.unwrap()["reason"], "it belongs to no session");
    let pass = all.iter().rfind(|event| event["event"] == "cleanup").unwrap();
    let removed = pass["removed"].as_array().unwrap();
    assert!(removed.iter().any(|one| one["name"] == name && one["kind"] == "container"), "{pass}");
}

#[test]
fn an_end_that_comes_while_the_broker_is_away_is_recorded_once_it_is_back() {
    let bench = bench::alone();
    let user = bench.user();
    let mut process = user.start(&[], "echo ready; exec sleep 1234");
    {
        let _away = Disturbance::of(&bench, bench::STOP_BROKER, bench::START_BROKER);
        process.kill();
        drop(process);
    }
    user.run("true").success();
    eventually("both ends are recorded", || {
        user.audited_names().iter().filter(|name| *name == "disconnect").count() == 2
    });
}

#[test]
fn while_it_cannot_be_written_no_login_succeeds_and_connected_users_stay() {
    let bench = bench::alone();
    let (inside, refused) = (bench.user(), bench.user());
    let mut terminal = inside.shell();
    {
        // A reload opens it anew: a directory has taken its name.
        let disturb = "mv /var/log/podspawn/audit.jsonl /var/log/podspawn/audit.jsonl-kept && \
                       mkdir /var/log/podspawn/audit.jsonl && systemctl reload podspawn-broker";
        let mend = "rmdir /var/log/podspawn/audit.jsonl && systemctl reload podspawn-broker";
        let _unwritable = Disturbance::of(&bench, disturb, mend);
        let done = refused.run("true");
        assert_eq!(done.code, Some(255));
        assert!(done.errors().contains("audit log"), "{done:?}");
        assert!(refused.containers().is_empty());
        terminal.send("echo still''-here\n");
        terminal.wait_for("still-here");
        terminal.send("exit\n");
        terminal.finish();
        eventually("the end is noticed", || inside.connections() == 0);
    }
    eventually("the end that waited is recorded", || inside.audited_names().contains(&"disconnect".to_owned()));
    assert!(refused.audited().is_empty());
    refused.run("true").success();
}

/// Several users are refused as fast as they may ask, each time by another name, while `rotate` is done again and again.
/// Afterwards every event is there once.
fn rotate_under_load(rotate: &str) {
    let bench = bench::alone();
    bench.root(&format!("rm -f {LOG}[.-]*"));
    let users: Vec<_> = (0..4).map(|_| bench.user()).collect();
    let begin = Instant::now();
    let rotations = std::thread::scope(|scope| {
        let askers: Vec<_> = users.iter().map(|user| scope.spawn(|| ask(user))).collect();
        let mut rotations = 0;
        while askers.iter().any(|asker| !asker.is_finished()) {
            bench.root(rotate);
            rotations += 1;
            std::thread::sleep(Duration::from_millis(300));
        }
        rotations
    });
    let spent = begin.elapsed();
    let expected = users.len() * REFUSALS * CALLS;
    let count = || -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        // Other tests' refusals may name one project twice.
        let is_ours = |event: &&Value| users.iter().any(|user| event["user"] == user.name.as_str());
        for event in events(&bench).iter().filter(is_ours).filter(|event| event["event"] == "policy_deny") {
            *count.entry(event["project"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        count
    };
    // What the last cut took is written again within a second or two.
    eventually("every event is there", || count().len() >= expected);
    let twice: Vec<_> = count().into_iter().filter(|(_, times)| *times > 1).map(|(project, _)| project).collect();
    let is_twice = |event: &Value| twice.iter().any(|project| event["project"] == project.as_str());
    let lines: Vec<_> = events(&bench).into_iter().filter(is_twice).take(6).collect();
    assert!(twice.is_empty(), "{} events are there twice: {lines:#?}", twice.len());
    assert!(rotations > 3, "only {rotations} rotations");
    eprintln!("{expected} events in {spent:?}, {rotations} rotations");
}

#[test]
fn rotation_by_copytruncate_loses_nothing_under_load() {
    rotate_under_load(&logrotate("copytruncate"));
}

#[test]
fn rotation_by_rename_loses_nothing_under_load() {
    rotate_under_load(&logrotate(
        "create 0640 podspawn podspawn-admin\npostrotate\nsystemctl reload podspawn-broker\nendscript",
    ));
}
