//! The audit log: what it records, and that it records all of it, exactly once.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, User, eventually},
    client::Process,
    peer,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const LOG: &str = "/var/log/podspawn/audit.jsonl";

/// Every event of the log and of its rotated copies.
fn events(bench: &Bench) -> Vec<Value> {
    let text = bench.root(&format!("cat {LOG}*"));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

impl User<'_> {
    /// The events of this user in this run, oldest first.
    fn audited(&self) -> Vec<Value> {
        let is_own = |event: &Value| {
            event["user"] == self.name.as_str() && event["timestamp"].as_str() >= Some(self.bench.began())
        };
        let mut own: Vec<_> = events(self.bench).into_iter().filter(is_own).collect();
        own.sort_by_key(|event| event["seq"].as_u64());
        own
    }

    fn audited_names(&self) -> Vec<String> {
        self.audited().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    fn last_audited(&self, name: &str) -> Value {
        self.audited().into_iter().rfind(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name}"))
    }
}

#[test]
fn a_login_is_recorded_from_the_container_to_its_end() {
    let bench = bench::shared();
    let user = bench.user_with("mode: destroy-on-disconnect");
    user.run("true").success();
    eventually("it is gone", || user.sessions().is_empty());
    assert_eq!(user.audited_names(), ["container_create", "connect", "command", "disconnect", "container_destroy"]);
    for event in user.audited() {
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
        assert!(event["session"].is_string() && event["container"].is_string(), "{event}");
    }
    assert_eq!(user.last_audited("container_destroy")["reason"], "the last connection ended");
}

#[test]
fn a_command_is_recorded_byte_for_byte_with_its_outcome() {
    let bench = bench::shared();
    let user = bench.user();
    let exact = "printf '%s\\n' \"a  b\" '$x' \u{20ac}\t; exit 3";
    assert_eq!(user.run(exact).code, Some(3));
    eventually("it is recorded", || user.audited_names().contains(&"command".to_owned()));
    assert_eq!(user.last_audited("connect")["command"], exact);
    let event = user.last_audited("command");
    assert_eq!((event.get("command"), &event["exit_code"], event.get("signal")), (None, &3.into(), None));
    assert_eq!(event["channel"], user.last_audited("connect")["channel"]);

    user.run("kill -9 $$");
    eventually("the signal is recorded", || user.last_audited("command")["signal"] == 9);
}

#[test]
fn a_shell_and_a_transfer_are_recorded_as_what_they_are() {
    let bench = bench::shared();
    let user = bench.user();
    let terminal = user.shell();
    let kinds = |user: &User<'_>| -> Vec<Value> {
        let connects = user.audited().into_iter().filter(|event| event["event"] == "connect");
        connects.map(|event| event["kind"].clone()).collect()
    };
    assert_eq!(kinds(&user), ["shell"]);
    drop(terminal);
    let mut sftp = user.client("sftp");
    let mut sftp = Process::start(sftp.args(["-b", "-"]).arg(&user.name));
    sftp.send(b"pwd\n".to_vec());
    sftp.finish().success();
    assert_eq!(kinds(&user), ["shell", "sftp"]);
}

#[test]
fn a_client_that_is_killed_leaves_a_disconnect() {
    let bench = bench::shared();
    let user = bench.user();
    let mut process = user.start(&[], "echo ready; exec sleep 1234");
    process.kill();
    eventually("its end is recorded", || user.audited_names().contains(&"disconnect".to_owned()));
    let event = user.last_audited("disconnect");
    assert_eq!((event.get("exit_code"), &event["remaining"]), (None, &0.into()), "{event}");
}

#[test]
fn a_refusal_is_recorded_with_user_and_reason() {
    let bench = bench::shared();
    let user = bench.user();
    assert_eq!(user.ssh_in("closed", "true").code, Some(255));
    let event = user.last_audited("policy_deny");
    assert_eq!(event["project"], "closed");
    assert!(event["reason"].as_str().unwrap().contains("\"closed\" is not open"), "{event}");
    assert!(event["uid"].is_u64(), "{event}");
}

/// So many refusals of each user in one call, and how often it calls.
const REFUSALS: usize = 400;
const CALLS: usize = 3;

/// The names that [`ask`] asks for.
pub(crate) fn asked(user: &User<'_>) -> Vec<String> {
    let name = &user.name;
    (0..CALLS).flat_map(|call| (0..REFUSALS).map(move |number| format!("{name}-{call}-{number}"))).collect()
}

/// Asks for projects that do not exist, as fast as one may.
pub(crate) fn ask(user: &User<'_>) {
    for call in asked(user).chunks(REFUSALS) {
        let mut bytes = Vec::new();
        for project in call {
            let message = json!({ "method": "io.podspawn.Sessions.Attach", "parameters": { "project": project } });
            bytes.extend_from_slice(message.to_string().as_bytes());
            bytes.push(0);
        }
        assert_eq!(peer::ask(user.bench, &user.name, &bytes, REFUSALS), REFUSALS as u64);
    }
}

/// What `logrotate --force` does with a configuration of these lines.
fn logrotate(lines: &str) -> String {
    format!(
        "printf '%s\\n' '{LOG} {{' '{lines}' 'rotate 1000' 'missingok' '}}' >/run/podspawn-test/rotate.conf; \
         chmod 0644 /run/podspawn-test/rotate.conf; \
         logrotate --force --state /run/podspawn-test/rotate.state /run/podspawn-test/rotate.conf"
    )
}
