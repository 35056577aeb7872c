//! What takes the bench host for itself.

use super::*;

#[test]
fn a_scrape_starts_the_service_and_every_way_gives_the_same() {
    let bench = bench::alone();
    bench.root("systemctl stop podspawn-metrics.service");
    let text = bench.root(TCP);
    assert_eq!(bench.root("systemctl is-active podspawn-metrics.service"), "active");
    let names = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(names(&text).len() > 100, "{text}");
    let open = bench.root(&format!("{UNIX} -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5'"));
    assert!(open.ends_with("# EOF") && !text.contains("# EOF"), "{open}");
    let (printed, written) = (
        bench.root("podspawn status --prometheus"),
        bench.root(
            "install -d -o daemon /var/lib/prometheus/node-exporter; systemctl start podspawn-textfile.service; \
             stat --format %a /var/lib/prometheus/node-exporter/*; cat /var/lib/prometheus/node-exporter/podspawn.prom",
        ),
    );
    let written = written.strip_prefix("644\n").unwrap();
    for other in [&open, &printed, written] {
        assert_eq!(names(other), names(&text));
    }
    for (path, status) in [("/", "200"), ("/metrics/", "404"), ("/../state.db", "404"), ("/metrics -X DELETE", "405")] {
        let code = bench.root(&format!(
            "curl --silent --output /dev/null --write-out '%{{http_code}}' --path-as-is http://127.0.0.1:9746{path}"
        ));
        assert_eq!(code, status, "{path}");
    }
    let status = bench.root("cat /proc/$(systemctl show -P MainPID podspawn-metrics.service)/status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.lines().find(|line| line.starts_with(set)).unwrap().ends_with("0000000000000000"), "{status}");
    }
}

#[test]
fn the_numbers_are_those_of_the_engine_and_of_the_list_and_move_with_what_happens() {
    let bench = bench::alone();
    bench.empty();
    let before = bench.samples();
    let (here, gone) = (bench.user(), bench.user());
    let process = here.start(&[], "echo ready; exec sleep 1000");
    here.run("true").success();
    gone.run("true").success();
    assert_eq!(here.ssh_in("nope", "true").code, Some(255));
    eventually("one is left", || gone.connections() == 0 && here.connections() == 1);
    let now = bench.samples();
    let containers =
        bench.root("docker ps --all --quiet --filter label=managed-by=podspawn | wc -l").parse::<f64>().unwrap();
    for (name, expected) in [
        ("podspawn_up", 1.0),
        ("podspawn_broker_running", 1.0),
        ("podspawn_engine_up", 1.0),
        ("podspawn_sessions_total", 2.0),
        ("podspawn_sessions_running", 1.0),
        ("podspawn_sessions_grace", 1.0),
        ("podspawn_connections_total", 1.0),
        ("podspawn_containers_docker", containers),
        ("podspawn_subnets_used", 2.0),
    ] {
        assert_eq!(value(&now, name), Some(expected), "{name}: {now:#?}");
    }
    assert!(value(&now, "podspawn_oldest_session_seconds").unwrap() < 60.0);
    assert!(value(&now, "podspawn_containers_memory_bytes").unwrap() > 1e5);
    assert!(value(&now, "podspawn_disk_available_bytes{of=\"engine\"}").unwrap() > 1e6);
    // A reader of the metrics does not learn which users are connected.
    assert!(!now.iter().any(|line| line.contains(&here.name) || line.contains("user=")), "{now:#?}");
    drop(process);
    bench.root(&format!("podspawn stop {}", gone.name));
    eventually("it is stopped", || gone.sessions().is_empty());
    let after = bench.samples();
    for (name, more) in [
        ("podspawn_logins_total{outcome=\"ok\"}", 3.0),
        ("podspawn_logins_total{outcome=\"denied\"}", 1.0),
        ("podspawn_denials_total{reason=\"unknown_project\"}", 1.0),
        ("podspawn_login_duration_seconds_count{start=\"cold\"}", 2.0),
        ("podspawn_login_duration_seconds_count{start=\"warm\"}", 1.0),
        ("podspawn_creation_phase_duration_seconds_count{phase=\"guest\"}", 2.0),
        ("podspawn_session_creations_total{result=\"ok\"}", 2.0),
        ("podspawn_session_destroys_total{reason=\"stopped\"}", 1.0),
        ("podspawn_engine_request_duration_seconds_count{operation=\"create_container\"}", 2.0),
    ] {
        let moved = value(&after, name).unwrap() - value(&before, name).unwrap();
        assert!((moved - more).abs() < 1e-9, "{name} moved by {moved}: {after:#?}");
    }
    // A pass, and a backup, are seen too.
    bench.root("systemctl start podspawn-cleanup.service podspawn-backup.service");
    let (later, clock) = (bench.samples(), bench.root("date +%s").parse::<f64>().unwrap());
    for name in ["podspawn_cleanup_last_success_time_seconds", "podspawn_backup_last_success_time_seconds"] {
        assert!(clock - value(&later, name).unwrap() < 60.0, "{name}: {later:#?}");
    }
    // Names are for those who ask for them.
    let _named = Disturbance::of_config(&bench, "(cat; echo 'metrics: {per_user: true}')");
    let _process = here.start(&[], "echo ready; exec sleep 1000");
    assert_eq!(value(&bench.samples(), &format!("podspawn_user_connections{{user=\"{}\"}}", here.name)), Some(1.0));
}

#[test]
fn an_engine_that_is_away_is_reported_and_nothing_that_only_it_knows() {
    let bench = bench::alone();
    bench.user().run("true").success();
    let _away = Disturbance::of(&bench, STOP_ENGINE, START_ENGINE);
    let now = bench.samples();
    assert_eq!(value(&now, "podspawn_engine_up"), Some(0.0));
    assert_eq!(value(&now, "podspawn_up"), Some(1.0));
    for unknown in ["podspawn_containers_docker", "podspawn_containers_memory_bytes"] {
        assert_eq!(value(&now, unknown), None, "{unknown}");
    }
    assert!(value(&now, "podspawn_engine_errors_total{kind=\"unreachable\"}").unwrap() > 0.0);
}

#[test]
fn an_idle_broker_is_not_started_and_one_that_is_gone_is_distinguished_from_it() {
    let bench = bench::alone();
    bench.user().run("true").success();
    bench.empty();
    let running = bench.samples();
    bench.root("systemctl stop podspawn-broker.service");
    let resting = bench.samples();
    assert_eq!(bench.bash(&[], "systemctl is-active podspawn-broker.service").text(), "inactive\n");
    for (name, expected) in [("podspawn_up", 1.0), ("podspawn_broker_running", 0.0), ("podspawn_sessions_total", 0.0)] {
        assert_eq!(value(&resting, name), Some(expected), "{name}: {resting:#?}");
    }
    let logins = "podspawn_logins_total{outcome=\"ok\"}";
    assert_eq!(value(&resting, logins), value(&running, logins));
    assert_eq!(value(&resting, "podspawn_broker_resident_memory_bytes"), None);
    {
        let _gone = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
        let gone = bench.samples();
        assert_eq!(gone, ["podspawn_up 0", "podspawn_broker_running 0"]);
    }
    // The next one goes on counting.
    bench.user().run("true").success();
    let next = bench.samples();
    assert_eq!(value(&next, "podspawn_broker_running"), Some(1.0));
    assert_eq!(value(&next, logins), value(&running, logins).map(|count| count + 1.0));
    // One that was killed has sessions to find: the next scrape starts another.
    bench.root("systemctl kill --signal KILL podspawn-broker.service; sleep 1");
    eventually("it is back", || value(&bench.samples(), "podspawn_sessions_total") == Some(1.0));
}

#[test]
fn scrapes_all_the_time_keep_no_broker_that_has_nothing_to_do() {
    let bench = bench::alone();
    bench.empty();
    let drop_in = "/run/systemd/system/podspawn-broker.service.d";
    let _brief = Disturbance::of(
        &bench,
        &format!(
            "mkdir -p {drop_in}; printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/podspawn broker --idle-exit 2s\\n' >{drop_in}/brief.conf; \
             systemctl daemon-reload; systemctl kill --signal KILL podspawn-broker.service; sleep 0.5"
        ),
        "rm -r /run/systemd/system/podspawn-broker.service.d; systemctl daemon-reload; systemctl stop podspawn-broker.service",
    );
    let scrape = format!("{TCP} | grep ^podspawn_broker_running");
    assert_eq!(bench.root(&scrape), "podspawn_broker_running 1");
    eventually("it has left in spite of them", || {
        bench.root(&format!("sleep 0.3; {scrape}")) == "podspawn_broker_running 0"
    });
    // And it is not started again by the next ones.
    bench.root(&format!("for n in $(seq 12); do {TCP} >/dev/null; sleep 0.25; done"));
    assert_eq!(bench.bash(&[], "systemctl is-active podspawn-broker.service").text(), "inactive\n");
}

#[test]
fn silent_connections_keep_no_scrape_out_and_are_closed() {
    let bench = bench::alone();
    bench.root("systemctl stop podspawn-metrics.service");
    let began = Instant::now();
    let seen = bench.root(&format!(
        "for n in $(seq 200); do exec {{fd}}<>/dev/tcp/127.0.0.1/9746; printf 'GET /metrics HT' >&$fd || true; done 2>/dev/null\n\
         {TCP} | grep -c ^podspawn_up; \
         ls /proc/$(systemctl show -P MainPID podspawn-metrics.service)/fd | wc -l"
    ));
    let (answered, open) = seen.split_once('\n').unwrap();
    assert_eq!(answered, "1");
    assert!(open.parse::<usize>().unwrap() < 100, "{open}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_service_exits_without_scrapes_and_the_next_one_starts_it() {
    let bench = bench::alone();
    let drop_in = "/run/systemd/system/podspawn-metrics.service.d";
    let _brief = Disturbance::of(
        &bench,
        &format!(
            "mkdir -p {drop_in}; printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/podspawn metrics --idle-exit 1s\\n' >{drop_in}/brief.conf; \
             systemctl daemon-reload; systemctl stop podspawn-metrics.service"
        ),
        "rm -r /run/systemd/system/podspawn-metrics.service.d; systemctl daemon-reload; systemctl stop podspawn-metrics.service",
    );
    for _ in 0..2 {
        bench.root(&format!("{TCP} >/dev/null"));
        eventually("it has left", || {
            bench.bash(&[], "systemctl is-active podspawn-metrics.service").text() == "inactive\n"
        });
    }
    assert_eq!(bench.root("systemctl show -P Result podspawn-metrics.service"), "success");
}

#[test]
fn a_real_prometheus_misses_nothing_while_sessions_come_and_go() {
    let bench = bench::alone();
    let users: Vec<String> = (0..3).map(|_| bench.user().name).collect();
    let done = Finished::of(bench.script_of("scrape").args(["--seconds", "12", "--users", &users.join(" ")]), b"");
    assert_eq!(done.code, Some(0), "{done:?}");
}
