//! One tenant writes as much as it can: to the logs, to the state, and to the broker's only thread.

mod alone;

use super::{assert_serves, broker_pid};
use crate::{
    bench::{self, Bench, User, eventually},
    peer::{self, BROKER, Order},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LOG: &str = "/var/log/podspawn/audit.jsonl";

/// The lines of the audit log about a user, of this run.
fn lines(user: &User<'_>) -> Vec<String> {
    let text = user.bench.root(&format!("grep -hF '\"user\":\"{}\"' {LOG}* || true", user.name));
    let is_recent = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["timestamp"].as_str() >= Some(user.bench.began())
    };
    text.lines().filter(is_recent).map(str::to_owned).collect()
}

fn audited(user: &User<'_>) -> Vec<Value> {
    lines(user).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// So many bytes have these files.
fn size(bench: &Bench, files: &str) -> u64 {
    bench.root(&format!("cat {files} | wc -c")).parse().unwrap()
}

#[test]
fn a_command_cannot_deceive_who_reads_the_audit_log() {
    let bench = bench::shared();
    let user = bench.user();
    let command = "echo \u{202e}\u{2066}\u{200f}\u{9b}2J\u{85}\u{2028}\u{7f} done";
    user.run(command).success();
    let events = audited(&user);
    assert_eq!(named(&events, "connect")[0]["command"], command);
    let raw = lines(&user).concat();
    assert!(raw.chars().all(|c| (' '..='~').contains(&c)), "{raw:?}");
    assert!(raw.contains(r"echo \u202e\u2066\u200f\u009b2J\u0085\u2028\u007f done"), "{raw}");
}

/// Processor time of a process in seconds.
fn processor_time(bench: &Bench, pid: &str) -> f64 {
    let ticks = bench.root(&format!("sed 's/.*) //' /proc/{pid}/stat | awk '{{ print $12 + $13 }}'"));
    ticks.parse::<f64>().unwrap() / 100.0
}

/// The time of a login, the middle one of several.
fn login(user: &User<'_>) -> Duration {
    let once = || {
        let begin = Instant::now();
        user.run("true").success();
        begin.elapsed()
    };
    let mut times: Vec<Duration> = (0..5).map(|_| once()).collect();
    times.sort();
    times[2]
}
