//! `podspawn doctor --prove`: it passes where a login works, fails at the line that is wrong where one does not, and
//! leaves nothing however it ends.

use crate::{
    bench::{self, Bench, Disturbance, START_BROKER, STOP_BROKER, eventually},
    client::{Finished, Process},
};
use serde_json::Value;

/// Every line of a run that comes to its end, in order.
const LINES: [&str; 12] = [
    "prove-account",
    "prove-keys",
    "prove-login",
    "prove-second-login",
    "prove-terminal",
    "prove-exit-code",
    "prove-signal",
    "prove-hang-up",
    "prove-pipes",
    "prove-sftp",
    "prove-agent",
    "prove-removal",
];

struct Line {
    check: String,
    outcome: String,
    text: String,
}

/// The lines of a run, without the checks of the host.
#[track_caller]
fn lines(done: &Finished) -> Vec<Line> {
    let printed: Value = serde_json::from_slice(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines = printed["checks"].as_array().unwrap().iter().map(|line| Line {
        check: text(line, "check"),
        outcome: text(line, "outcome"),
        text: format!("{} -> {}", text(line, "seen"), text(line, "remedy")),
    });
    lines.filter(|line| line.check.starts_with("prove")).collect()
}

impl Bench {
    #[track_caller]
    fn prove(&self) -> Vec<Line> {
        let lines = lines(&self.bash(&[], "podspawn doctor --prove --json"));
        self.assert_nothing_proved_is_left();
        lines
    }

    /// The lines of a run in which something is wrong: exactly one fails, and it says all of this.
    #[track_caller]
    fn prove_failing(&self, check: &str, parts: &[&str]) -> Vec<Line> {
        let lines = self.prove();
        let printed: Vec<_> = lines.iter().map(|line| (&line.check, &line.outcome, &line.text)).collect();
        let failing: Vec<&Line> = lines.iter().filter(|line| line.outcome != "pass").collect();
        assert!(failing.len() == 1 && failing[0].check == check && failing[0].outcome == "fail", "{printed:?}");
        for part in parts {
            assert!(failing[0].text.contains(part), "{part}: {printed:?}");
        }
        lines
    }

    #[track_caller]
    fn assert_nothing_proved_is_left(&self) {
        assert_eq!(self.root(LEFT), "");
    }
}

/// Prints whatever a run may leave.
const LEFT: &str = "
    getent passwd | grep ^podspawn-prove
    ls /etc/podspawn/keys /var/lib/podspawn/homes | grep podspawn-prove
    docker ps -a --format '{{.Names}}' | grep podspawn-prove
    docker network ls --format '{{.Labels}}' | grep podspawn-prove
    podspawn list | grep podspawn-prove
    ls -d /run/podspawn/prove 2>/dev/null
    ps -C ssh,sftp,ssh-agent -o args= | grep podspawn/prove
    true
";

#[test]
fn in_a_mode_that_keeps_nothing_and_one_that_keeps_homes_it_passes_and_leaves_nothing() {
    let bench = bench::alone();
    for mode in ["destroy-on-disconnect", "named"] {
        let _config = Disturbance::of_config(&bench, &format!("(cat; echo 'session: {{ mode: {mode} }}')"));
        let lines = bench.prove();
        let printed: Vec<_> = lines.iter().map(|line| (&line.check, &line.outcome, &line.text)).collect();
        assert!(lines.len() == LINES.len() && lines.iter().all(|line| line.outcome == "pass"), "{mode}: {printed:?}");
    }
}

/// Puts lines before everything else in sshd's configuration, until dropped.
fn sshd<'a>(bench: &'a Bench, lines: &str) -> Disturbance<'a> {
    let make = format!("printf '%s\\n' {lines}; cat sshd_config");
    Disturbance::of_file(bench, "/etc/ssh", "sshd_config", &make, "sshd -t && systemctl reload ssh")
}

#[test]
fn agents_that_sshd_does_not_forward_are_one_failing_line() {
    let bench = bench::alone();
    let _sshd = sshd(&bench, "'Match Group podspawn' 'AllowAgentForwarding no' 'Match all'");
    let lines = bench.prove_failing("prove-agent", &["SSH_AUTH_SOCK", "AllowAgentForwarding"]);
    assert_eq!(lines.len(), LINES.len());
}

#[test]
fn a_broker_that_is_away_fails_the_login_and_says_which_unit() {
    let bench = bench::alone();
    let disturbance = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
    let done = bench.bash(&[], "podspawn doctor --prove --json");
    let lines = lines(&done);
    let failing: Vec<_> = lines.iter().filter(|line| line.outcome == "fail").map(|line| line.check.as_str()).collect();
    // Whether a container is left is unknown without it.
    assert_eq!(failing, ["prove-login", "prove-removal"], "{done:?}");
    assert!(lines[2].text.contains("broker cannot be reached") && lines[2].text.contains("podspawn-broker.socket"));
    drop(disturbance);
    bench.assert_nothing_proved_is_left();
}

#[test]
fn keys_that_sshds_question_cannot_read_fail_at_the_keys() {
    let bench = bench::alone();
    let _keys = Disturbance::of(&bench, "chmod 0700 /etc/podspawn/keys", "chmod 0750 /etc/podspawn/keys");
    let lines = bench.prove_failing("prove-keys", &["podspawn-keys", "0750"]);
    assert_eq!(lines.len(), 3);
}

#[test]
fn sshds_lists_fail_the_login_in_sshds_own_words() {
    let bench = bench::alone();
    let _sshd = sshd(&bench, "'AllowUsers root plain'");
    bench.prove_failing("prove-login", &["Permission denied", "not allowed because not listed in AllowUsers"]);
}

#[test]
fn no_place_for_another_container_is_reported_in_the_words_that_a_user_sees() {
    let bench = bench::alone();
    // What other tests left would take the only place.
    bench.empty();
    let _config = Disturbance::of_config(&bench, "sed 's/max_containers: .*}/max_containers: 1 }/'");
    let user = bench.user();
    let _held = user.start(&[], "echo ready; sleep 600");
    bench.prove_failing("prove-login", &["limit of 1 containers"]);
}

/// Starts a run and returns when its container is in use.
fn begin(bench: &Bench) -> Process {
    let process = Process::start(bench.command(&[]).args(["podspawn", "doctor", "--prove", "--json"]));
    eventually("its container runs", || !bench.root("docker ps -q --filter name=podspawn-prove").is_empty());
    process
}

const KILL: &str = "pkill --exact --full 'podspawn doctor --prove --json' --signal";

#[test]
fn interrupted_it_leaves_nothing_and_says_so() {
    let bench = bench::alone();
    for signal in ["INT", "TERM"] {
        let process = begin(&bench);
        // Twice: a user in a hurry presses it again.
        bench.root(&format!("{KILL} {signal}; sleep 0.2; {KILL} {signal} || true"));
        let done = process.finish();
        assert_eq!(done.code, Some(1), "{done:?}");
        let lines = lines(&done);
        assert!(lines.iter().any(|line| line.check == "prove" && line.text.contains("interrupted")), "{done:?}");
        let last = lines.last().unwrap();
        assert!(last.check == "prove-removal" && last.outcome == "pass", "{done:?}");
        bench.assert_nothing_proved_is_left();
    }
}

#[test]
fn what_a_killed_run_left_is_reported_by_doctor_and_removed_by_the_next_run() {
    let bench = bench::alone();
    let process = begin(&bench);
    bench.root(&format!("{KILL} KILL"));
    assert_ne!(process.finish().code, Some(0));
    let left = bench.root("getent passwd | grep -o ^podspawn-prove-[0-9a-f]*");
    let printed = bench.bash(&[], "podspawn doctor").text();
    assert!(printed.contains(&format!("accounts of an interrupted --prove are there: {left}")), "{printed}");
    let lines = bench.prove();
    assert!(lines[0].check == "prove-leftovers" && lines[0].text.contains(&left), "{}", lines[0].text);
    assert!(lines.iter().all(|line| line.outcome == "pass") && lines.len() == LINES.len() + 1);
}

#[test]
fn a_healthy_host_passes_every_line_leaves_nothing_and_two_runs_do_not_meet() {
    let bench = bench::alone();
    let mut process = begin(&bench);
    let second = lines(&bench.bash(&[], "podspawn doctor --prove --json"));
    assert!(second.len() == 1 && second[0].text.contains("another doctor --prove is running"), "{}", second[0].text);
    assert!(!process.has_ended());
    let printed = bench.bash(&[], "podspawn doctor").text();
    assert!(!printed.contains("interrupted"), "one that runs is not left: {printed}");
    let first = lines(&process.finish());
    let printed: Vec<_> = first.iter().map(|line| (line.check.as_str(), &line.text)).collect();
    assert!(first.iter().all(|line| line.outcome == "pass"), "{printed:?}");
    assert_eq!(first.iter().map(|line| line.check.as_str()).collect::<Vec<_>>(), LINES, "{printed:?}");
    for login in &first[2..=3] {
        assert!(login.text.contains(" s"), "{printed:?}");
    }
    bench.assert_nothing_proved_is_left();
    let done = bench.bash(&["-u", "plain"], "podspawn doctor --prove");
    assert!(done.code == Some(1) && done.errors().contains("is for root"), "{done:?}");
}
