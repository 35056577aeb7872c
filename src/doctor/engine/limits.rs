//! `engine-limits`: limits of memory, processes and processors are enforced.

use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    engine::product,
    protocol::varlink::EngineInfo,
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "engine-limits",
    group: Group::Engine,
    passes_if: "limits of memory, processes and processors are enforced",
    problems: &[OFF],
    needs_root: false,
    run,
};
const OFF: Problem = Problem::fail(
    "the kernel does not enforce one of them",
    "boot with cgroup v2, or cgroup_enable=memory; `{engine-command} info` names what is missing",
);

fn run(host: &Host) -> Report {
    match super::described(host, &CHECK) {
        Ok(engine) => limits(engine),
        Err(report) => report,
    }
}

fn limits(engine: &EngineInfo) -> Report {
    let limits = [("memory", engine.memory_limit), ("pids", engine.pids_limit), ("cpu", engine.cpu_limit)];
    let named = |wanted: Option<bool>| -> Vec<&str> {
        limits.iter().filter(|(_, holds)| *holds == wanted).map(|(name, _)| *name).collect()
    };
    let (off, unknown) = (named(Some(false)), named(None));
    if !off.is_empty() {
        let seen = format!("the kernel enforces no limit of {}: one container can take the whole host", off.join(", "));
        return CHECK.report(&OFF, seen, &[]);
    }
    if !unknown.is_empty() {
        let why = format!("the engine does not say whether limits of {} hold", unknown.join(", "));
        return CHECK.unknown(why, format!("{} info", product().command));
    }
    CHECK.pass("limits of memory, processes and processors hold")
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};
    use crate::doctor::Outcome;

    #[test]
    fn a_limit_that_does_not_hold_is_a_failure_and_one_that_the_engine_does_not_mention_is_unknown() {
        assert_eq!(limits(&example()).outcome, Outcome::Pass);
        let off = limits(&EngineInfo { pids_limit: Some(false), ..example() });
        assert!(off.outcome == Outcome::Fail && off.seen.contains("no limit of pids:"), "{off:?}");
        assert!(limits(&EngineInfo { cpu_limit: None, ..example() }).seen.starts_with("unknown"));
    }
}
