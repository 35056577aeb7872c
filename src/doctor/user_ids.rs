//! Whether each user has a user id of its own inside containers, one that no account of the host has.

use super::{Finding, Host, Report};
use crate::protocol::varlink::DiagnoseReply;

const CHECK: &str = "user-ids";

/// `user-ids`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let range = host.settings.config.security.uid_range.to_string();
    vec![match host.broker() {
        Ok(reply) => judge(reply, &range),
        Err(_) => Report::unknown(CHECK, "the broker does not say", "see broker"),
    }]
}

fn judge(reply: &DiagnoseReply, range: &str) -> Report {
    let stop = |session: &str| format!("podspawn stop {session}");
    let mut findings: Vec<Finding> = reply
        .uid_conflicts
        .iter()
        .map(|conflict| {
            let what =
                format!("the user id {} of {}'s container is {}", conflict.uid, conflict.session, conflict.holder);
            // The next container gets another id.
            Finding::broken(what, stop(&conflict.session))
        })
        .collect();
    findings.extend(reply.shared_uids.iter().map(|session| {
        let what = format!("{session}'s container is from before users had user ids of their own, and shares one");
        Finding::notable(what, stop(session))
    }));
    if !reply.has_free_uid {
        let what = format!("no user id of security.uid_range {range} is left, so no new user can log in");
        findings.push(
            Finding::broken(what, "set another security.uid_range in /etc/podspawn/config.yaml")
                .on_nixos("set another services.podspawn.settings.security.uid_range"),
        );
    }
    let good = format!("{} users have user ids of their own, of security.uid_range {range}", reply.uids);
    Report::of(CHECK, findings, good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::varlink::UidConflict};

    #[test]
    fn ids_that_are_shared_or_taken_are_named_with_what_ends_that() {
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
