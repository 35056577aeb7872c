//! What takes the bench host for itself.

use super::*;

#[test]
fn a_log_file_that_cannot_be_written_stops_no_login_and_is_reported_once() {
    let bench = bench::alone();
    let user = bench.user();
    user.run("true").success();
    let (failed, written) = (reported(&bench, "log_failed"), reported(&bench, "log_written"));
    {
        // A reload opens it anew: a directory has taken its name.
        let disturb = "mv /var/log/podspawn/podspawn.log /var/log/podspawn/podspawn.log-kept && \
                       mkdir /var/log/podspawn/podspawn.log && systemctl reload podspawn-broker";
        let mend = "rmdir /var/log/podspawn/podspawn.log && systemctl reload podspawn-broker";
        let _unwritable = Disturbance::of(&bench, disturb, mend);
        eventually("it is reported", || reported(&bench, "log_failed") == failed + 1);
        user.run("true").success();
        user.run("true").success();
        bench.root("systemctl reload podspawn-broker");
        user.run("true").success();
    }
    eventually("that it works again is reported", || reported(&bench, "log_written") == written + 1);
    assert_eq!(reported(&bench, "log_failed"), failed + 1);
    user.run("true").success();
    assert!(!user.logged("connect").is_empty());
}

#[test]
fn rotation_as_it_is_shipped_loses_no_line_of_either_log() {
    // Of podspawn.log fourteen copies are kept. A file that is empty by then is not rotated.
    const ROTATIONS: usize = 10;
    let bench = bench::alone();
    let copies = "rm -f /var/log/podspawn/*[.-][0-9k]*";
    let _rotated = Disturbance::of(&bench, copies, copies);
    let users: Vec<_> = (0..4).map(|_| bench.user()).collect();
    let rotate = format!("logrotate --force --state /run/podspawn-test/shipped.state {SHIPPED}");
    std::thread::scope(|scope| {
        let askers: Vec<_> = users.iter().map(|user| scope.spawn(|| audit::ask(user))).collect();
        for _ in 0..ROTATIONS {
            bench.root(&rotate);
            std::thread::sleep(Duration::from_millis(200));
        }
        for asker in askers {
            asker.join().unwrap();
        }
    });
    // And one behind the last line, so that what was in the file is in a copy.
    bench.root(&rotate);
    let lines = |name: &str| bench.root(&format!("zcat --force {name}*"));
    let (audit, log) = (lines("/var/log/podspawn/audit.jsonl"), lines(FILE));
    let mut count: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let expected: Vec<String> = users.iter().flat_map(audit::asked).collect();
    for line in audit.lines().filter(|line| line.contains("\"event\":\"policy_deny\"")) {
        // What another test was refused for need not have been a project.
        let project = line.split("\"project\":\"").nth(1).and_then(|rest| rest.split('"').next());
        count.entry(project.unwrap_or_default()).or_default().0 += 1;
    }
    for line in log.lines().filter(|line| line.contains(" event=policy_deny ")) {
        count.entry(line.split('"').nth(1).unwrap_or_default()).or_default().1 += 1;
    }
    for project in &expected {
        assert_eq!(count.get(project.as_str()), Some(&(1, 1)), "{project} in the audit log and the log file");
    }
    let files = bench.root("ls /var/log/podspawn; stat --format '%a %U %G' /var/log/podspawn/*.log");
    for file in
        ["audit.jsonl.1\n", "audit.jsonl.4.gz", "podspawn.log.1\n", "podspawn.log.4.gz", "640 podspawn podspawn-admin"]
    {
        assert!(files.contains(file), "{file}: {files}");
    }
}

#[test]
fn rotation_does_not_start_a_broker_that_does_not_run() {
    let bench = bench::alone();
    let copies = "rm -f /var/log/podspawn/*[.-][0-9k]*";
    let _rotated = Disturbance::of(&bench, copies, copies);
    let _away = Disturbance::of(&bench, bench::STOP_BROKER, bench::START_BROKER);
    bench.root(&format!("logrotate --force --state /run/podspawn-test/shipped.state {SHIPPED}"));
    let state = bench.bash(&[], "systemctl is-active podspawn-broker.service podspawn-broker.socket").text();
    assert_eq!(state, "inactive\ninactive\n");
}
