//! `user-ids`: each user has a user id of its own inside containers, and no account of the host has it.

use super::{Check, Group, Host, Problem, Report, engine::diagnosis};
use crate::protocol::varlink::DiagnoseReply;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "user-ids",
    group: Group::Engine,
    passes_if: "each user has a user id of its own inside containers, which no account of the host has",
    problems: &[CONFLICT, NONE_FREE, SHARED],
    needs_root: false,
    run,
};
/// The next container gets another id.
const CONFLICT: Problem = Problem::fail("an account or range of the host has it", "`podspawn stop {session}`");
const NONE_FREE: Problem = Problem::fail(
    "no user id of `security.uid_range` is left",
    "set another security.uid_range in /etc/podspawn/config.yaml",
)
.on_nixos("set another services.podspawn.settings.security.uid_range");
const SHARED: Problem =
    Problem::warn("a container is older than user ids per user, and shares one", "`podspawn stop {session}`");

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => judge(reply, &host.settings.config.security.uid_range.to_string()),
        Err(report) => report,
    }
}

fn judge(reply: &DiagnoseReply, range: &str) -> Report {
    let mut problems: Vec<Report> = Vec::new();
    for conflict in &reply.uid_conflicts {
        let seen = format!("the user id {} of {}'s container is {}", conflict.uid, conflict.session, conflict.holder);
        problems.push(CHECK.report(&CONFLICT, seen, &[("session", &conflict.session)]));
    }
    for session in &reply.shared_uids {
        let seen = format!("{session}'s container is from before users had user ids of their own, and shares one");
        problems.push(CHECK.report(&SHARED, seen, &[("session", session)]));
    }
    if !reply.has_free_uid {
        let seen = format!("no user id of security.uid_range {range} is left, so no new user can log in");
        problems.push(CHECK.report(&NONE_FREE, seen, &[]));
    }
    CHECK.merge(problems, format!("{} users have user ids of their own, of security.uid_range {range}", reply.uids))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::varlink::UidConflict};

    #[test]
    fn ids_that_are_shared_or_taken_are_named_with_a_remedy() {
        let well = DiagnoseReply { uids: 3, has_free_uid: true, ..DiagnoseReply::default() };
        let good = judge(&well, "65536-99999");
        assert_eq!((good.outcome, good.seen.starts_with("3 users")), (Outcome::Pass, true));
        let shared = DiagnoseReply { shared_uids: vec!["alice@web".into()], ..well.clone() };
        let shared = judge(&shared, "65536-99999");
        assert_eq!((shared.outcome, shared.remedy.as_str()), (Outcome::Warn, "podspawn stop alice@web"));
        let conflict = UidConflict { session: "bob".into(), uid: 65_536, holder: "the id of account eve".into() };
        let taken = judge(&DiagnoseReply { uid_conflicts: vec![conflict], ..well.clone() }, "65536-99999");
        assert_eq!((taken.outcome, taken.remedy.as_str()), (Outcome::Fail, "podspawn stop bob"));
        assert!(taken.seen.contains("65536 of bob's container is the id of account eve"), "{taken:?}");
        let full = judge(&DiagnoseReply { has_free_uid: false, ..well }, "65536-65537");
        assert!(full.outcome == Outcome::Fail && full.remedy.contains("security.uid_range"), "{full:?}");
    }
}
