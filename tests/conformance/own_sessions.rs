//! `ssh alice@host podspawn …`: what users do about their own sessions, who have no shell on the host.

use crate::{
    bench::{self, eventually},
    ends::assert_one_line,
};
use serde_json::Value;

#[test]
fn a_user_sees_and_stops_its_own_sessions_and_no_container_is_made_for_that() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    bob.run("true").success();
    assert_eq!(alice.run("podspawn list --json").quiet_success(), "[]");
    assert!(alice.run("podspawn status").quiet_success().starts_with("Sessions     0"));
    assert!(alice.containers().is_empty() && alice.sessions().is_empty());

    alice.run("true").success();
    alice.ssh_in("one", "true").success();
    let sessions: Value = serde_json::from_str(&alice.run("podspawn list --json").quiet_success()).unwrap();
    let seen: Vec<(&str, &str)> = sessions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["user"].as_str().unwrap(), one["project"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(seen, [(alice.name.as_str(), "-"), (alice.name.as_str(), "one")]);
    let table = alice.run("podspawn list").quiet_success();
    assert!(table.starts_with("USER") && table.lines().count() == 3 && !table.contains(&bob.name), "{table}");
    let status: Value = serde_json::from_str(&alice.run("podspawn status --json").quiet_success()).unwrap();
    assert_eq!((&status["sessions"], &status["containers"]), (&2.into(), &2.into()), "{status}");

    assert_eq!(alice.run("podspawn stop one").quiet_success(), "");
    eventually("one is left", || alice.sessions().len() == 1);
    let again = alice.run("podspawn stop one");
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.errors().contains("@one has no running session"), "{again:?}");
    assert_eq!(alice.run("podspawn stop").quiet_success(), "");
    eventually("none is left", || alice.containers().is_empty());
    assert_eq!(bob.sessions().len(), 1);
}

#[test]
fn the_project_that_the_client_selects_is_the_one_that_is_stopped() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    user.ssh_in("one", "true").success();
    assert_eq!(user.ssh_in("one", "podspawn stop").quiet_success(), "");
    eventually("one is left", || user.sessions().len() == 1);
    assert_eq!(user.sessions()[0]["project"], Value::Null);
}

#[test]
fn a_connected_user_is_hung_up_by_a_stop_from_elsewhere() {
    let bench = bench::shared();
    let user = bench.user();
    let here = user.start(&[], "echo ready; exec sleep 1000");
    assert_eq!(user.run("podspawn stop").quiet_success(), "");
    let ended = here.finish();
    assert_eq!(ended.code, Some(255), "{ended:?}");
    assert!(ended.errors().contains(&format!("stopped by {}", user.name)), "{ended:?}");
}

#[test]
fn help_and_mistakes_are_answered_without_a_container() {
    let bench = bench::shared();
    let user = bench.user();
    for help in ["podspawn help", "podspawn --help", "  podspawn\thelp"] {
        let text = user.run(help).quiet_success();
        assert!(text.starts_with("usage: ssh USER@HOST podspawn COMMAND") && text.contains("stop [PROJECT]"), "{text}");
    }
    for wrong in
        ["podspawn", "podspawn cleanup", "podspawn list everything", "podspawn stop a b", "podspawn list | cat"]
    {
        let done = user.run(wrong);
        assert_eq!((done.code, done.text().as_str()), (Some(2), ""), "{wrong}: {done:?}");
        assert_one_line(&done);
        assert!(done.errors().contains("`podspawn help` lists the commands"), "{done:?}");
    }
    assert!(user.sessions().is_empty());
}

#[test]
fn a_terminal_gets_lines_as_it_wants_them() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let shown = user.run_with(&["-tt"], "podspawn list", b"").text();
    let lines: Vec<&str> = shown.split("\r\n").collect();
    assert!(lines.len() == 3 && lines[0].starts_with("USER") && lines[1].contains(&user.name), "{shown:?}");
}

#[test]
fn every_other_command_is_the_containers() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    for command in ["podspawn-x list", "echo podspawn list", "PODSPAWN list", "true podspawn"] {
        let (inside, outside) = (user.run(command), plain.run(command));
        assert_eq!((inside.code, inside.text()), (outside.code, outside.text()), "{command}");
    }
    // The ordinary account has the program, and the container has none.
    for command in ["./podspawn list", "'podspawn' list", "env podspawn list", "(podspawn list)"] {
        assert_eq!(user.run(command).code, Some(127), "{command}");
    }
    assert_eq!(user.run("podspawn; echo after").text(), "after\n");
}
