//! Every transition, tried in every phase.

use super::*;
use crate::domain::State::{Creating, Destroying, Grace, Running};

fn error() -> Arc<AttachError> {
    Arc::new(AttachError::NoSubnet)
}

fn removal() -> Removal {
    Removal::default()
}

/// Every phase, by its name; `Grace` is `Running` without a connection.
fn phases() -> [(&'static str, Phase); 8] {
    [
        ("Creating", Phase::Creating { progress: Step::default() }),
        ("Running", Phase::Running { abandoned: None }),
        ("Grace", Phase::Running { abandoned: Some(5) }),
        ("Closing", Phase::Closing { reason: "over".into(), removal: removal() }),
        ("Destroying", Phase::Destroying { removal: removal() }),
        ("Undoing", Phase::Undoing { error: error(), removal: removal() }),
        ("Failed", Phase::Failed { error: error(), removal: removal() }),
        ("Gone", Phase::Gone),
    ]
}

fn name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Creating { .. } => "Creating",
        Phase::Running { abandoned: None } => "Running",
        Phase::Running { abandoned: Some(_) } => "Grace",
        Phase::Closing { .. } => "Closing",
        Phase::Destroying { .. } => "Destroying",
        Phase::Undoing { .. } => "Undoing",
        Phase::Failed { .. } => "Failed",
        Phase::Gone => "Gone",
    }
}

type Transition = fn(&Lifecycle) -> bool;

/// A transition, and for each phase in which it is legal the next one.
type Row = (&'static str, Transition, &'static [(&'static str, &'static str)]);

#[test]
fn each_transition_is_legal_in_the_phases_of_the_table_and_changes_nothing_in_any_other() {
    let table: [Row; 11] = [
        ("report", |it| it.report(Step::new("pulling")), &[("Creating", "Creating")]),
        ("started", Lifecycle::started, &[("Creating", "Running")]),
        ("fail", |it| it.fail(error()), &[("Creating", "Undoing")]),
        ("abandon", |it| it.abandon(7), &[("Running", "Grace")]),
        ("occupy", Lifecycle::occupy, &[("Grace", "Running")]),
        ("abandoned_by", |it| it.abandoned_by(3), &[("Grace", "Grace")]),
        ("close", |it| it.close("over"), &[("Running", "Closing"), ("Grace", "Closing")]),
        ("closed", Lifecycle::closed, &[("Closing", "Destroying")]),
        ("destroy", Lifecycle::destroy, &[("Running", "Destroying"), ("Grace", "Destroying")]),
        ("report_failure", Lifecycle::report_failure, &[("Undoing", "Failed")]),
        ("removed", Lifecycle::removed, &[("Destroying", "Gone"), ("Undoing", "Failed")]),
    ];
    for (transition, apply, legal) in table {
        for (from, phase) in phases() {
            let lifecycle = Lifecycle::new(phase);
            let mut watch = lifecycle.watch();
            watch.mark_unchanged();
            let to = legal.iter().find(|(legal, _)| *legal == from).map(|(_, to)| *to);
            assert_eq!(apply(&lifecycle), to.is_some(), "{transition} in {from}");
            assert_eq!(name(&watch.borrow()), to.unwrap_or(from), "{transition} in {from}");
            assert_eq!(watch.has_changed().unwrap(), to.is_some(), "{transition} in {from} wakes");
        }
    }
}

#[test]
fn only_a_removal_can_fail_and_it_is_recorded_once() {
    for (from, phase) in phases() {
        let lifecycle = Lifecycle::new(phase);
        let can_fail = ["Closing", "Destroying", "Undoing", "Failed"].contains(&from);
        assert_eq!(lifecycle.removal_failed(AttachError::NoSubnet), can_fail, "{from}");
        if can_fail {
            assert!(lifecycle.record_destroy(|| Ok::<_, ()>(())).is_ok());
            assert!(lifecycle.record_destroy(|| Err("twice")).is_ok(), "{from}");
        }
    }
}

#[test]
fn an_end_that_could_not_be_recorded_is_recorded_later_and_once_whatever_the_phase_is_then() {
    let lifecycle = Lifecycle::new(Phase::Running { abandoned: None });
    assert!(lifecycle.close("over"));
    assert!(lifecycle.record_destroy(|| Err("disk full")).is_err());
    assert!(lifecycle.record_destroy(|| Ok::<_, ()>(())).is_ok());
    assert!(lifecycle.closed());
    assert!(lifecycle.record_destroy(|| Err("twice")).is_ok());
}

#[test]
fn a_removal_keeps_for_lists_since_when_the_session_was_abandoned() {
    let transitions: [Transition; 2] = [Lifecycle::destroy, |it| it.close("over") && it.closed()];
    for remove in transitions {
        let lifecycle = Lifecycle::new(Phase::Running { abandoned: Some(5) });
        assert!(remove(&lifecycle));
        assert_eq!((lifecycle.abandoned(), lifecycle.shown_abandoned()), (None, Some(5)));
    }
}

#[test]
fn a_row_of_an_earlier_broker_runs_again_or_is_removed() {
    for (state, has_container, expected, is_recorded) in [
        (Running, true, "Running", false),
        (Grace, true, "Grace", false),
        (Running, false, "Destroying", false),
        (Creating, true, "Destroying", false),
        (Destroying, true, "Destroying", true),
    ] {
        let lifecycle = Lifecycle::restored(state, has_container, 5);
        assert_eq!(name(&lifecycle.watch().borrow()), expected, "{state}");
        if expected == "Destroying" {
            assert_eq!(lifecycle.record_destroy(|| Err(())).is_ok(), is_recorded, "{state}");
        }
    }
}

#[tokio::test]
async fn a_client_waits_for_the_removal_until_it_has_failed_often_enough() {
    let lifecycle = Lifecycle::new(Phase::Destroying { removal: removal() });
    lifecycle.removal_failed(AttachError::NoSubnet);
    let fail_twice = async {
        lifecycle.hurried().await;
        lifecycle.removal_failed(AttachError::NoSubnet);
        lifecycle.removal_failed(AttachError::NoSubnet);
    };
    assert!(tokio::join!(lifecycle.await_removal(2), fail_twice).0.is_err());
    let remove = async { assert!(lifecycle.removed()) };
    assert!(tokio::join!(lifecycle.await_removal(1), remove).0.is_ok());
}
