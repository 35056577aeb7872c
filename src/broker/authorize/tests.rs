//! Every method of the interfaces for every kind of caller, against expectations that are written here a second time.

use super::*;
use crate::protocol::varlink::{interface::INTERFACES, methods};
use zlink::idl::Interface;

fn alice() -> UserName {
    "alice".parse().unwrap()
}

/// The kinds of callers that exist.
fn callers() -> [(&'static str, Caller); 9] {
    let stranger = Caller::new(1000);
    let user = Caller { user: Some(alice()), ..stranger.clone() };
    [
        ("stranger", stranger.clone()),
        ("user", user.clone()),
        ("user and administrator", Caller { admin: true, ..user.clone() }),
        ("root", Caller { admin: true, ..Caller::new(0) }),
        ("service account", Caller { service: true, ..stranger.clone() }),
        ("metrics group", Caller { metrics: true, ..stranger.clone() }),
        ("user in the metrics group", Caller { metrics: true, ..user }),
        // A uid of `DynamicUser=` is never a user (`caller::tests`).
        ("dynamic user", Caller::new(61_200)),
        ("dynamic user in the metrics group", Caller { metrics: true, ..Caller::new(61_200) }),
    ]
}

/// Who may use a method, written as a sentence would say it.
#[allow(clippy::match_same_arms, reason = "a row for each kind of method")]
fn expected(method: &str, caller: &str) -> Decision {
    let is_admin = ["user and administrator", "root"].contains(&caller);
    let is_user = caller.starts_with("user");
    let is_metrics = caller.ends_with("metrics group");
    match method {
        "org.varlink.service.GetInfo" | "org.varlink.service.GetInterfaceDescription" => Decision::All,
        "io.podspawn.Sessions.Attach" if is_user => Decision::Own,
        "io.podspawn.Sessions.List" | "io.podspawn.Sessions.Stop" | "io.podspawn.Sessions.Ended" if is_admin => {
            Decision::All
        }
        "io.podspawn.Sessions.List" | "io.podspawn.Sessions.Stop" | "io.podspawn.Sessions.Ended" if is_user => {
            Decision::Own
        }
        "io.podspawn.Metrics.Snapshot" | "io.podspawn.Metrics.Measurements" if is_admin || is_metrics => Decision::All,
        "io.podspawn.Metrics.Snapshot" if is_user => Decision::Own,
        "io.podspawn.Admin.Cleanup" if is_admin || caller == "service account" => Decision::All,
        "io.podspawn.Admin.Diagnose" | "io.podspawn.Admin.VerifyImage" if is_admin => Decision::All,
        _ => Decision::No,
    }
}

#[test]
fn every_method_of_the_definitions_has_a_row_and_each_caller_gets_what_is_expected() {
    let mut defined = Vec::new();
    for (interface, text) in INTERFACES {
        for method in Interface::try_from(text).unwrap().methods() {
            let name = format!("{interface}.{}", method.name());
            let method: Method = name.parse().unwrap_or_else(|_| panic!("{name} has no row in the access table"));
            defined.push(method);
            for (kind, caller) in callers() {
                assert_eq!(decide(&caller, method), expected(&name, kind), "{name} for {kind}");
            }
        }
    }
    let undefined = Method::ALL.iter().filter(|method| !defined.contains(method)).map(|method| method.name());
    assert_eq!(undefined.collect::<Vec<_>>(), Vec::<&str>::new(), "rows of the access table without a definition");
}

#[test]
fn a_grant_covers_the_sessions_that_the_decision_names() {
    let bob: UserName = "bob".parse().unwrap();
    for (kind, caller) in callers() {
        match (decide(&caller, Method::List), authorize::<methods::List>(&caller)) {
            (Decision::No, Err(_)) => {}
            (Decision::Own, Ok(grant)) => {
                assert_eq!(grant.sessions_of(false).unwrap(), Some(&alice()), "{kind}");
                assert!(grant.covers(&alice()) && !grant.covers(&bob), "{kind}");
            }
            (Decision::All, Ok(grant)) => {
                assert_eq!(grant.sessions_of(false).unwrap(), None, "{kind}");
                assert!(grant.covers(&alice()) && grant.covers(&bob), "{kind}");
            }
            (decision, grant) => panic!("{kind}: {decision:?}, {grant:?}"),
        }
    }
}

#[test]
fn own_is_the_account_of_the_caller_and_refused_without_one() {
    let admin = Caller { user: Some(alice()), admin: true, ..Caller::new(1000) };
    let grant = authorize::<methods::Snapshot>(&admin).unwrap();
    assert_eq!(grant.sessions_of(true).unwrap(), Some(&alice()));
    for caller in [Caller { admin: true, ..Caller::new(0) }, Caller { metrics: true, ..Caller::new(7) }] {
        let grant = authorize::<methods::Snapshot>(&caller).unwrap();
        assert!(grant.sessions_of(true).is_err() && grant.sessions_of(false).unwrap().is_none());
    }
}

#[test]
fn the_table_has_a_row_for_each_method_and_a_column_for_each_role() {
    let table = access_table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2 + Method::ALL.len());
    assert!(lines.iter().all(|line| line.matches('|').count() == Role::ALL.len() + 2), "{table}");
    assert!(table.contains("\n| `io.podspawn.Admin.Cleanup` | no | all | all | no | no |\n"), "{table}");
}
