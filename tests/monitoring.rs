//! What is shipped for Prometheus and Grafana, as their own programs read it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use podspawn::{
    measure::{Measures, catalog, gauge},
    openmetrics::{Dialect, render},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where it is installed, or where `tests/run` has put it.
fn promtool() -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = root().join("target/prometheus/usr/bin");
    let places = std::env::split_paths(&path).chain([own]).map(|place| place.join("promtool"));
    Command::new(places.into_iter().find(|place| place.exists()).expect("promtool is missing: tests/run gets it"))
}

#[track_caller]
fn assert_well(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !text.contains("FAILED"), "{}: {text}", output.status);
}

/// The rules, the example and the test of the rules in one directory, as they are used.
fn shipped() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in [
        "systemd/prometheus/podspawn.rules.yml",
        "systemd/prometheus/podspawn.scrape.yml",
        "tests/prometheus/rules_test.yml",
    ] {
        let file = root().join(file);
        fs::copy(&file, directory.path().join(file.file_name().unwrap())).unwrap();
    }
    directory
}

/// Everything that there can be, in one answer.
fn everything() -> String {
    let mut families = Measures::default().families();
    families.extend(catalog::GAUGES.iter().map(|one| gauge(one, 1.0)));
    render(&families, Dialect::Text)
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    let mut child = promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(everything().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_well(&output);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn prometheus_takes_the_rules_and_the_example() {
    let directory = shipped();
    assert_well(&promtool().current_dir(&directory).args(["check", "rules", "podspawn.rules.yml"]).output().unwrap());
    assert_well(&promtool().current_dir(&directory).args(["check", "config", "podspawn.scrape.yml"]).output().unwrap());
}

#[test]
fn each_alert_fires_for_what_it_is_about_and_for_nothing_else() {
    let directory = shipped();
    assert_well(&promtool().current_dir(&directory).args(["test", "rules", "rules_test.yml"]).output().unwrap());
    let (rules, tests) = (read(&directory, "podspawn.rules.yml"), read(&directory, "rules_test.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 8, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}, eval_time: ")), "{alert} is never held not to fire");
        assert!(tests.contains(&format!("- alertname: {alert}\n")), "{alert} is never held to fire");
    }
}

fn read(directory: &tempfile::TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

/// The metrics of podspawn's that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("podspawn_")).map(str::to_owned).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("systemd/grafana/podspawn.json")).unwrap()).unwrap()
}

fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let known: BTreeSet<String> = catalog::names().collect();
    let rules = fs::read_to_string(root().join("systemd/prometheus/podspawn.rules.yml")).unwrap();
    let in_panels = named(&expressions(&dashboard()).join("\n"));
    assert!(in_panels.len() > 20, "{in_panels:?}");
    for name in named(&rules).union(&in_panels) {
        assert!(known.contains(name), "{name} is not measured");
    }
}

#[test]
fn the_names_that_operators_know_are_in_what_is_shown() {
    let text = everything();
    for name in [
        "podspawn_sessions_total",
        "podspawn_sessions_running",
        "podspawn_sessions_grace",
        "podspawn_connections_total",
        "podspawn_containers_docker",
        "podspawn_oldest_session_seconds",
    ] {
        assert!(text.lines().any(|line| line == format!("{name} 1")), "{name}: {text}");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36 && dashboard["uid"] == "podspawn");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id is used twice");
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "two panels at {x}, {y}: {}", panel["title"]);
            }
        }
        let letters: BTreeSet<&str> =
            panel["targets"].as_array().unwrap().iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), panel["targets"].as_array().unwrap().len(), "{}", panel["title"]);
    }
    // Every expression is one, with Grafana's variables filled in as it does.
    let rules: Vec<String> = expressions(&dashboard)
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let expression = expression.replace("$instance", "h").replace("$__rate_interval", "5m");
            format!("      - {{record: \"r:{number}\", expr: {}}}\n", serde_json::to_string(&expression).unwrap())
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("panels.yml");
    fs::write(&file, format!("groups:\n  - name: panels\n    rules:\n{}", rules.concat())).unwrap();
    assert_well(&promtool().args(["check", "rules"]).arg(&file).output().unwrap());
}
