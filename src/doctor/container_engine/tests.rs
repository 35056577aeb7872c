//! What is concluded from what the broker says.

use super::*;
use crate::{
    doctor::Outcome,
    protocol::varlink::{ImageInfo, PoolInfo, RemovedInfo},
};

fn engine() -> EngineReply {
    EngineReply {
        version: "20.10.24".into(),
        security_options: ["name=apparmor", "name=seccomp,profile=default", "name=userns"].map(str::to_owned).into(),
        default_runtime: "runc".into(),
        memory_limit: Some(true),
        pids_limit: Some(true),
        cpu_limit: Some(true),
        ..EngineReply::default()
    }
}

#[test]
fn an_engine_that_is_too_old_or_does_not_answer_is_a_fault() {
    assert_eq!(version(&engine()).outcome, Outcome::Pass);
    assert_eq!(version(&EngineReply { version: "19.03.15".into(), ..engine() }).outcome, Outcome::Fail);
    assert_eq!(version(&EngineReply { version: "29.1.0-rc.1".into(), ..engine() }).outcome, Outcome::Pass);
    let reports = without_engine("connection refused");
    assert_eq!(reports.iter().filter(|report| report.outcome == Outcome::Fail).count(), 1);
    assert!(without_broker("it is gone", None).iter().all(|report| report.seen.starts_with("unknown: ")));
}

#[test]
fn containers_without_a_filter_are_a_fault_and_without_a_confinement_worth_a_word() {
    assert_eq!(isolation(&engine(), false).outcome, Outcome::Pass);
    let with = |options: &[&str]| EngineReply {
        security_options: options.iter().map(|text| (*text).to_owned()).collect(),
        ..engine()
    };
    let bare = isolation(&with(&["name=seccomp,profile=default"]), false);
    assert!(bare.outcome == Outcome::Warn && bare.seen.contains("AppArmor"), "{bare:?}");
    assert_eq!(isolation(&with(&["name=selinux"]), false).outcome, Outcome::Fail);
    let unconfined = with(&["name=apparmor", "name=seccomp,profile=unconfined"]);
    assert_eq!(isolation(&unconfined, false).outcome, Outcome::Fail);
    assert_eq!(isolation(&unconfined, true).outcome, Outcome::Pass, "podspawn gives a profile of its own");
    assert!(isolation(&with(&["name=apparmor", "name=seccomp"]), false).seen.contains("no boundary"));
}

#[test]
fn a_limit_that_does_not_hold_is_a_fault_and_one_that_nobody_speaks_of_is_unknown() {
    assert_eq!(limits(&engine()).outcome, Outcome::Pass);
    let off = limits(&EngineReply { pids_limit: Some(false), ..engine() });
    assert!(off.outcome == Outcome::Fail && off.seen.contains("no limit of pids:"), "{off:?}");
    assert!(limits(&EngineReply { cpu_limit: None, ..engine() }).seen.starts_with("unknown"));
}

#[test]
fn containers_that_do_not_answer_are_named_and_sandboxes_are_told() {
    let reply = |running, silent: &[&str]| DiagnoseReply {
        running,
        silent: silent.iter().map(|name| (*name).to_owned()).collect(),
        engine: Some(EngineReply { default_runtime: "runsc".into(), ..engine() }),
        ..DiagnoseReply::default()
    };
    let silent = channel(&reply(2, &["alice@web"]), &Settings::default());
    assert_eq!((silent.outcome, silent.remedy.as_str()), (Outcome::Warn, "podspawn stop alice@web"));
    assert!(channel(&reply(0, &[]), &Settings::default()).remedy.contains("--host-uds=open"));
    assert_eq!(channel(&reply(2, &[]), &Settings::default()).outcome, Outcome::Pass, "it is seen to work");
}

#[test]
fn images_that_are_missing_are_named_and_silence_is_unknown() {
    let image = |present| ImageInfo { image: "a:1".into(), of: "project web".into(), present };
    let of = |present| images(&DiagnoseReply { images: vec![image(present)], ..DiagnoseReply::default() });
    assert_eq!(of(Some(true)).outcome, Outcome::Pass);
    assert_eq!((of(Some(false)).outcome, of(Some(false)).remedy.as_str()), (Outcome::Warn, "docker pull a:1"));
    assert!(of(None).seen.starts_with("unknown"));
}

#[test]
fn orphans_are_named_and_silence_is_unknown() {
    let one = RemovedInfo { kind: "container".into(), name: "x".into(), reason: "it belongs to no session".into() };
    let of = |found: Option<Vec<RemovedInfo>>| orphans(&DiagnoseReply { orphans: found, ..DiagnoseReply::default() });
    assert_eq!(of(Some(Vec::new())).outcome, Outcome::Pass);
    assert_eq!(of(Some(vec![one])).seen, "container x: it belongs to no session");
    assert!(of(None).seen.starts_with("unknown"));
    let foreign = (1..=6).map(|number| format!("container c{number}")).collect();
    let told = orphans(&DiagnoseReply { orphans: Some(Vec::new()), foreign, ..DiagnoseReply::default() });
    assert_eq!(told.outcome, Outcome::Pass);
    assert!(told.seen.ends_with("left alone: container c1, container c2, container c3, container c4 and 2 more"));
}

#[test]
fn a_pool_that_is_empty_or_smaller_than_the_sessions_there_may_be_is_told() {
    let of = |subnets, routed, used| {
        let info = PoolInfo { network: "10.209.0.0/24".into(), subnets, routed, used };
        pool(&DiagnoseReply { pool: Some(info), ..DiagnoseReply::default() }, 50)
    };
    assert_eq!(of(4096, 16, 3).seen, "4077 of 4096 subnets of 10.209.0.0/24 are free");
    assert_eq!(
        (of(4096, 16, 3).outcome, of(16, 0, 1).outcome, of(16, 0, 16).outcome),
        (Outcome::Pass, Outcome::Warn, Outcome::Fail)
    );
    assert!(of(64, 20, 0).seen.contains("20 lie behind routes"));
    let none = DiagnoseReply { pool_error: Some("it overlaps".into()), ..DiagnoseReply::default() };
    assert_eq!((pool(&none, 50).outcome, pool(&none, 50).seen.as_str()), (Outcome::Fail, "it overlaps"));
}
