//! `engine` and its family: the container engine, as the broker describes it; only the broker may ask the engine.

pub(super) mod access;
pub(super) mod isolation;
pub(super) mod limits;
pub(super) mod runtime;

use super::{Check, Group, Host, Problem, Report};
use crate::{
    engine::product,
    protocol::varlink::{DiagnoseReply, EngineInfo},
};
use std::{os::unix::net::UnixStream, path::Path};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "engine",
    group: Group::Engine,
    passes_if: "the engine answers the broker, and is {engine} {engine-oldest} or later",
    problems: &[NO_ANSWER, TOO_OLD],
    needs_root: false,
    run,
};
const NO_ANSWER: Problem = Problem::fail("the engine does not answer the broker", "`systemctl start {engine-unit}`");
const TOO_OLD: Problem =
    Problem::fail("the engine is older", "podspawn needs {engine} {engine-oldest} or later: upgrade it");

/// What the broker says of the host; the report of `check` where it does not answer.
pub(super) fn diagnosis<'a>(host: &'a Host, check: &Check) -> Result<&'a DiagnoseReply, Report> {
    host.broker().map_err(|_| check.unknown("the broker does not say", "see broker"))
}

/// The engine; the report of `check` where the broker or the engine does not answer.
fn described<'a>(host: &'a Host, check: &Check) -> Result<&'a EngineInfo, Report> {
    let engine = diagnosis(host, check)?.engine.as_ref();
    engine.ok_or_else(|| check.unknown("the engine does not answer", "see engine"))
}

fn run(host: &Host) -> Report {
    let reply = match host.broker() {
        Ok(reply) => reply,
        Err(why) => {
            let socket = host.root.then(|| connects(host.settings.config.engine.socket()));
            return without_broker(why, socket.as_deref());
        }
    };
    match &reply.engine {
        Some(engine) => version(engine),
        None => no_answer(reply.engine_error.as_deref().unwrap_or("it does not say why")),
    }
}

/// Whether a process listens at the engine's socket.
fn connects(socket: &Path) -> String {
    match UnixStream::connect(socket) {
        Ok(_) => format!("{} takes connections", socket.display()),
        Err(error) => format!("{}: {error}", socket.display()),
    }
}

fn without_broker(why: &str, socket: Option<&str>) -> Report {
    let socket = socket.map_or(String::new(), |socket| format!("; {socket}"));
    CHECK.unknown(format!("only the broker asks it, and {why}{socket}"), "see broker")
}

fn no_answer(why: &str) -> Report {
    CHECK.report(&NO_ANSWER, format!("{why}: no user gets a new container"), &[])
}

fn version(engine: &EngineInfo) -> Report {
    let mut numbers = engine.version.split('.').map(|number| number.parse::<u32>().ok());
    let seen = format!("version {} answers", engine.version);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < product().oldest => CHECK.report(&TOO_OLD, seen, &[]),
        _ => CHECK.pass(seen),
    }
}

/// An engine with everything, for the tests of the checks that look at one.
#[cfg(test)]
fn example() -> EngineInfo {
    EngineInfo {
        version: "20.10.24".into(),
        security_options: ["name=apparmor", "name=seccomp,profile=default", "name=userns"].map(str::to_owned).into(),
        default_runtime: "runc".into(),
        memory_limit: Some(true),
        pids_limit: Some(true),
        cpu_limit: Some(true),
        ..EngineInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn an_engine_that_is_too_old_or_does_not_answer_is_a_failure() {
        assert_eq!(version(&example()).outcome, Outcome::Pass);
        assert_eq!(version(&EngineInfo { version: "19.03.15".into(), ..example() }).outcome, Outcome::Fail);
        assert_eq!(version(&EngineInfo { version: "29.1.0-rc.1".into(), ..example() }).outcome, Outcome::Pass);
        assert_eq!(no_answer("connection refused").outcome, Outcome::Fail);
        let unknown = without_broker("it is gone", Some("/run/engine.sock takes connections"));
        assert!(unknown.seen.starts_with("unknown: ") && unknown.seen.ends_with("takes connections"), "{unknown:?}");
    }
}
