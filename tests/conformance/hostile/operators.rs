//! What a tenant may do to what an administrator runs.

use crate::bench::{self, Disturbance, orphan};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::os::unix::ffi::OsStringExt as _;

/// Removes the containers and the image of a test, whatever happened.
fn tidy<'a>(bench: &'a bench::Bench, containers: &str, image: &str) -> Disturbance<'a> {
    let remove =
        format!("docker rm --force {containers} >/dev/null 2>&1; docker rmi --force {image} >/dev/null 2>&1; true");
    Disturbance::of(bench, &remove, remove.clone())
}

#[test]
fn a_container_of_a_committed_image_is_never_removed() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let (container, image) = (user.container(), format!("rescued-{}:1", user.name));
    let [plain, with_volumes] = ["plain", "volumes"].map(|kind| format!("rescued-{}-{kind}", user.name));
    let _tidy = tidy(&bench, &format!("{plain} {with_volumes}"), &image);
    bench.root(&format!(
        "docker commit {container} {image} && docker run --detach --name {plain} --entrypoint sleep {image} 3600 &&
         docker run --detach --name {with_volumes} --volumes-from {container} --entrypoint sleep {image} 3600"
    ));
    let alive = || {
        let running = bench.root(&format!("docker inspect --format '{{{{.State.Running}}}}' {plain} {with_volumes}"));
        assert_eq!(running, "true\ntrue");
    };
    let copied = bench.root(&format!("docker inspect --format '{{{{json .Config.Labels}}}}' {plain}"));
    assert!(copied.contains("\"managed-by\":\"podspawn\"") && copied.contains("podspawn.session"), "{copied}");
    // While the session lives, while it is removed, and when nothing of it is left.
    bench.root("podspawn cleanup");
    alive();
    bench.root(&format!("podspawn stop {}", user.name));
    bench::eventually("the session is gone", || user.sessions().is_empty());
    let dry = bench.root("podspawn cleanup --dry-run");
    assert!(!dry.contains(&plain) && !dry.contains(&with_volumes), "{dry}");
    bench.root("podspawn cleanup");
    alive();
    // Beside an orphan of another test, doctor names the orphan alone.
    bench::eventually("doctor names the containers that are left alone", || {
        let printed = bench.bash(&[], "podspawn doctor --json").text();
        printed.contains("left alone: ") && printed.contains(&plain)
    });
    bench.root(&format!("docker inspect {container} >/dev/null 2>&1 && exit 1; true"));
}

#[test]
fn what_a_lost_database_leaves_is_still_removed() {
    let bench = bench::shared();
    let (name, id) = ("podspawn-lost", "00000000deadbee2");
    let _tidy = tidy(&bench, name, "nothing-of-that-name");
    // A cleanup of another test may come between two steps.
    let make = format!(
        "docker rm --force {name} >/dev/null 2>&1; docker network rm podspawn-{id} >/dev/null 2>&1; {}",
        orphan("run --detach", name, id)
    );
    bench::eventually("the orphan exists", || bench.bash(&[], &make).code == Some(0));
    bench.root("podspawn cleanup");
    let left = format!("docker ps --all --quiet --filter name={name}; docker network ls --quiet --filter name={id}");
    assert_eq!(bench.root(&left), "");
    bench.root(&format!("test ! -e /run/podspawn/guests/{id}"));
}

/// What costs its owner nothing: a file of 15 TiB, names for one file, a tree without an end, and what is not read.
const HOME: &str = r#"
cd && truncate -s 15T x && mkfifo fifo && echo kept >notes && printf v >"$(printf 'a\nb\033[2J\342\200\256')"
head -c 300000 /dev/urandom >big && for n in $(seq 200); do ln big link$n; done
(for n in $(seq 150); do mkdir d && cd d || exit; done)
(while printf %1000s; do sleep 0.01; done >>grows) &
"#;

#[test]
fn a_backup_of_a_home_without_an_end_ends_and_is_complete_for_all_other_users() {
    let bench = bench::shared();
    let [mallory, alice] = [(); 2].map(|()| bench.user_with("mode: named"));
    let to = format!("/var/backups/podspawn/{}", mallory.name);
    let names = [&mallory, &alice].map(|user| user.name.clone());
    let tidy = format!(
        "podspawn stop {0}; podspawn stop {1}; rm -rf {to} /var/lib/podspawn/homes/{0} /var/lib/podspawn/homes/{1}; true",
        names[0], names[1]
    );
    let _tidy = Disturbance::of(&bench, "true", tidy);
    mallory.run(format!("setsid sh -c '{}' >/dev/null 2>&1 </dev/null", HOME.replace('\'', "'\\''"))).success();
    alice.run("echo mine >~/notes").success();
    let back_up = |options: &str| {
        let done = bench.bash(&[], &format!("timeout 50 podspawn backup --homes --to {to} --json {options}"));
        let report: serde_json::Value = serde_json::from_str(&done.text()).unwrap_or_else(|_| panic!("{done:?}"));
        (done, report)
    };
    let (done, report) = back_up("--home-size 100m --home-time 60s");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.errors().contains("are not in the backup; all else is"), "{done:?}");
    let path = report["path"].as_str().unwrap();
    let left_out = report["left_out"].as_array().unwrap();
    let is_left_out = |suffix: &str| left_out.iter().any(|one| one["path"].as_str().unwrap().ends_with(suffix));
    assert!(is_left_out(&format!("{}/x", mallory.name)) && is_left_out("/d"), "{report}");
    assert!(!is_left_out(&alice.name), "{report}");
    let there = bench.root(&format!(
        "cd {path} && sha256sum --quiet --check manifest.sha256 && sqlite3 state.db 'pragma integrity_check' &&
         cat homes/{}/notes homes/{}/notes && ls -d keys/{} && jq -r '.left_out[].path' manifest.json | grep -c /x",
        mallory.name, alice.name, alice.name
    ));
    assert_eq!(there, format!("ok\nkept\nmine\nkeys/{}\n1", alice.name));
    assert_eq!(bench.root(&format!("ls {to} | wc -l")), "1", "the one without homes is gone");
    // What is shown of a name moves no cursor.
    let shown = bench.bash(&[], &format!("podspawn restore {path} --dry-run")).text();
    assert!(shown.contains(" is not in the backup: ") && !shown.contains('\u{1b}'), "{shown:?}");

    // Two hundred names of one file are two hundred files.
    let (done, report) = back_up("--home-size 10m --home-time 60s");
    assert_eq!(done.code, Some(1), "{done:?}");
    let path = report["path"].as_str().unwrap();
    let homes = bench.root(&format!("ls {path}/homes"));
    assert!(homes.contains(&alice.name) && !homes.contains(&mallory.name), "{homes}: {report}");
    bench.root(&format!("test -s {path}/state.db && test -s {path}/keys/{}", mallory.name));
}

#[test]
fn a_command_to_podspawn_names_no_other_user_no_socket_and_runs_nothing() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    bob.run("true").success();
    bob.ssh_in("one", "true").success();
    let trap = format!("/tmp/trap-{}", alice.name);
    for arguments in [
        format!("stop {}", bob.name),
        format!("stop {}@one", bob.name),
        format!("stop @{}", bob.name),
        format!("list --user {}", bob.name),
        format!("list {}", bob.name),
        "list --socket /tmp/x".to_owned(),
        "--socket /tmp/x list".to_owned(),
        "status --prometheus --output /tmp/x".to_owned(),
        "cleanup".to_owned(),
        format!("list\n touch {trap}"),
        format!("list; touch {trap}"),
        format!("list $(touch {trap})"),
        format!("list `touch {trap}`"),
        "stop ../../etc".to_owned(),
        "stop \u{202e}eno".to_owned(),
        "stop \u{9b}2J".to_owned(),
        format!("list {}", "x".repeat(100_000)),
        format!("list{}", " ".repeat(100_000)),
    ] {
        let done = alice.run(format!("podspawn {arguments}"));
        let start: String = arguments.chars().take(40).collect();
        assert!(matches!(done.code, Some(1 | 2)) && done.text().is_empty(), "{start}: {done:?}");
        assert!(done.errors().len() < 300 && done.errors().lines().count() == 1, "{start}: {done:?}");
        assert!(!done.errors().contains(['\u{202e}', '\u{9b}', '\u{1b}']), "{start}: {done:?}");
    }
    let not_text = std::ffi::OsString::from_vec(b"podspawn stop \xff\xfe".to_vec());
    assert_eq!(alice.run(not_text).code, Some(2));
    // An administrator with containers of its own sees those in this way, and no others.
    let as_admin = |command: &str| {
        bench.root(&format!(
            "setpriv --reuid {} --regid podspawn --groups podspawn,podspawn-admin {command}",
            alice.name
        ))
    };
    assert!(as_admin("podspawn list --json").contains(&bob.name));
    assert_eq!(as_admin("env SSH_ORIGINAL_COMMAND='podspawn list --json' podspawn spawn"), "[]");
    let status = as_admin("env SSH_ORIGINAL_COMMAND='podspawn status' podspawn spawn");
    assert!(status.starts_with("Sessions     0\n"), "{status}");
    let list = |environment: &str| {
        bench.bash(
            &["-u", &alice.name],
            &format!("{environment} SSH_ORIGINAL_COMMAND='podspawn list --json' podspawn spawn"),
        )
    };
    for environment in ["", "USER=root LOGNAME=root", &format!("USER={} SUDO_UID=0", bob.name)] {
        assert_eq!(list(environment).success(), "[]");
    }
    bench.root(&format!("test ! -e {trap}"));
    assert_eq!(bob.sessions().len(), 2);
    assert!(alice.sessions().is_empty());
}

#[test]
fn what_an_image_says_moves_no_cursor_and_turns_no_text_around() {
    let bench = bench::shared();
    let image = "podspawn-test-talks";
    let _tidy = tidy(&bench, "talks", image);
    // CSI as one character of C1, an override of direction, a text of invisible tags, and an escape.
    let git = "#!/bin/sh\nprintf 'git version 2\\302\\2332J\\342\\200\\256live\\363\\240\\201\\241\\033[2J\\n'\n";
    bench.root(&format!(
        "docker run --name talks podspawn-workload sh -c 'echo {} | base64 -d >/usr/bin/git' &&
         docker commit talks {image} >/dev/null",
        BASE64_STANDARD.encode(git)
    ));
    let shown = bench.bash(&[], &format!("podspawn verify-image {image}")).text();
    assert!(shown.contains("git version 2\u{fffd}2J\u{fffd}live\u{fffd}\u{fffd}[2J"), "{shown:?}");
    assert!(!shown.contains(['\u{9b}', '\u{202e}', '\u{e0061}', '\u{1b}']), "{shown:?}");
    let json = bench.bash(&[], &format!("podspawn verify-image --json {image}")).text();
    assert!(
        json.contains("git version 2") && !json.contains(['\u{9b}', '\u{202e}', '\u{e0061}', '\u{1b}']),
        "{json:?}"
    );
}
