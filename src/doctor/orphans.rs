//! `orphans`: no container, network or session is left of a crash.

use super::{Check, Group, Host, Problem, Report, engine::diagnosis};
use crate::{engine::product, protocol::varlink::DiagnoseReply};
use std::fmt::Write as _;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "orphans",
    group: Group::Engine,
    passes_if: "no container, network or session is left of a crash",
    problems: &[ORPHAN],
    needs_root: false,
    run,
};
const ORPHAN: Problem = Problem::warn("one is left", "`podspawn cleanup`");
/// Most containers and networks of others that are named.
const MAX_FOREIGN: usize = 4;

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => orphans(reply),
        Err(report) => report,
    }
}

fn orphans(reply: &DiagnoseReply) -> Report {
    let Some(orphans) = &reply.orphans else {
        return CHECK.unknown("the engine does not say what it has", "see engine");
    };
    let report = |what: String| CHECK.report(&ORPHAN, what, &[]);
    let problems = orphans.iter().map(|one| report(format!("{} {}: {}", one.kind, one.name, one.reason)));
    let mut good = "every container and network that podspawn made belongs to a session".to_owned();
    if !reply.foreign.is_empty() {
        let more = reply.foreign.len().saturating_sub(MAX_FOREIGN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = reply.foreign.get(..MAX_FOREIGN).unwrap_or(&reply.foreign).join(", ");
        // Writing to a String cannot fail.
        let _ = write!(
            good,
            "; not podspawn's, though labelled so ({} commit copies labels), and left alone: {named}{more}",
            product().command
        );
    }
    CHECK.merge(problems.collect(), good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::Outcome,
        domain::{Removed, RemovedKind},
    };

    #[test]
    fn orphans_are_named_and_without_an_answer_it_is_unknown() {
        let one = Removed { kind: RemovedKind::Container, name: "x".into(), reason: "it belongs to no session".into() };
        let of = |found: Option<Vec<Removed>>| orphans(&DiagnoseReply { orphans: found, ..DiagnoseReply::default() });
        assert_eq!(of(Some(Vec::new())).outcome, Outcome::Pass);
        assert_eq!(of(Some(vec![one])).seen, "container x: it belongs to no session");
        assert!(of(None).seen.starts_with("unknown"));
        let foreign = (1..=6).map(|number| format!("container c{number}")).collect();
        let report = orphans(&DiagnoseReply { orphans: Some(Vec::new()), foreign, ..DiagnoseReply::default() });
        assert_eq!(report.outcome, Outcome::Pass);
        assert!(report.seen.ends_with("left alone: container c1, container c2, container c3, container c4 and 2 more"));
    }
}
