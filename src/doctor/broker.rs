//! `broker`: the broker answers.

use super::{Check, Group, Host, Problem, Report, host::SYSTEMD};
use crate::{domain::text::one_line, sys::program};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "broker",
    group: Group::Broker,
    passes_if: "the broker answers",
    problems: &[NO_ANSWER],
    needs_root: false,
    run,
};
const NO_ANSWER: Problem = Problem::fail(
    "it does not; its last line in the journal is part of the report",
    "`journalctl -u podspawn-broker -n 50; systemctl restart podspawn-broker.service`",
);

fn run(host: &Host) -> Report {
    match host.broker() {
        Ok(reply) => CHECK.pass(format!("it answers: version {}, {} sessions run", reply.version, reply.running)),
        Err(why) if !host.root => CHECK.unknown(why, "sudo podspawn doctor"),
        Err(why) => {
            let seen = match last_line() {
                Some(line) => format!("{why}; its last line in the journal: {line}"),
                None => why.clone(),
            };
            CHECK.report(&NO_ANSWER, seen, &[])
        }
    }
}

/// The last line that the broker wrote to the journal.
fn last_line() -> Option<String> {
    let journalctl = program::find("journalctl")?;
    let arguments = ["--unit=podspawn-broker.service", "--lines=1", "--output=cat", "--no-pager", "--quiet"];
    let done = program::run(&journalctl, &arguments, b"", SYSTEMD).ok()?;
    let line: String = one_line(done.out.lines().next()?).chars().take(300).collect();
    (!line.is_empty()).then_some(line)
}
