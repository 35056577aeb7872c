//! What a user may try, and gets nothing by.

mod alone;
mod budgets;
mod confinement;
mod descriptors;
mod floods;
mod guests;
mod identity;
mod operators;
mod sftp;

use crate::{
    bench::{self, Bench, User, eventually},
    client::Finished,
    ends::assert_one_line,
    peer::{self, BROKER, Order},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use podspawn::protocol::guest::MAX_COMMAND_BYTES;
use serde_json::{Value, json};
use std::{ffi::OsString, os::unix::ffi::OsStringExt};

/// The broker goes on as before.
#[track_caller]
fn assert_serves(bench: &Bench) {
    let user = bench.user();
    assert_eq!(user.run("echo served").quiet_success(), "served");
}

fn broker_pid(bench: &Bench) -> String {
    bench.root("systemctl show -P MainPID podspawn-broker.service")
}

/// `podspawn spawn ARGUMENTS` as a user of the host, without sshd.
fn spawn(user: &User<'_>, arguments: &[&str], command: &str) -> Finished {
    let mut exec = user.bench.command(&["-u", &user.name]);
    exec.args(["env", "-i", &format!("SSH_ORIGINAL_COMMAND={command}"), "/usr/bin/podspawn", "spawn"]).args(arguments);
    Finished::of(&mut exec, b"")
}

/// As [`spawn`], with its streams redirected as `redirections` say.
fn spawn_with(user: &User<'_>, redirections: &str, command: &str) -> Finished {
    let script = format!("env -i SSH_ORIGINAL_COMMAND=\"$1\" /usr/bin/podspawn spawn {redirections}");
    let mut exec = user.bench.command(&["-u", &user.name]);
    Finished::of(exec.args(["bash", "-c", &script, "-", command]), b"")
}

fn attach(parameters: &Value) -> (&'static str, Value) {
    let mut all = json!({ "environment": {} });
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    ("io.podspawn.Sessions.Attach", all)
}

fn attach_as(bench: &Bench, peer: &str, parameters: &Value) -> Value {
    let (method, parameters) = attach(parameters);
    peer::call(bench, peer, method, &parameters).last().cloned().unwrap_or_default()
}

#[test]
fn another_users_name_is_refused() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    bob.run("echo secret >~/secret").success();
    let done = spawn(&alice, &["--user", &bob.name], "cat /home/*/secret; id -un");
    assert_eq!((done.code, done.text().as_str()), (Some(255), ""));
    assert_one_line(&done);
    assert!(done.errors().contains(&format!("you are {}", alice.name)), "{done:?}");
    // Its own is accepted, as of old.
    assert_eq!(spawn(&alice, &["--user", &alice.name], "id -un").success(), alice.name);
}

#[test]
fn options_in_the_command_of_the_client_are_no_options_of_ours() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    // ssh has its own options behind "--" only; the rest is the remote shell's to make sense of.
    let command = format!("--user {}", bob.name);
    let run = |user: &User<'_>| Finished::of(user.ssh(&[]).arg("--").arg(&command), b"");
    let done = run(&alice);
    assert_eq!(done, run(&bench.plain()));
    assert!(done.errors().starts_with("bash: "), "{done:?}");
    assert!(bob.sessions().is_empty());
}

#[test]
fn forged_messages_that_name_another_user_are_refused() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    for name in [bob.name.as_str(), "root", "", "../x", "alice\nbob", "-x", "."] {
        let reply = attach_as(&bench, &alice.name, &json!({ "user": name }));
        assert_eq!(reply["error"], "io.podspawn.Sessions.Denied", "{name:?}: {reply}");
    }
    for (name, value) in [("uid", json!(0)), ("USER", json!(bob.name)), ("session", json!("x"))] {
        let reply = attach_as(&bench, &alice.name, &json!({ name: value }));
        assert_eq!(reply["error"], "org.varlink.service.InvalidParameter", "{name:?}: {reply}");
    }
    // The environment is no identity either.
    let environment = json!({ "environment": { "USER": bob.name, "LOGNAME": bob.name, "SUDO_UID": "0" } });
    let reply = attach_as(&bench, &alice.name, &environment);
    assert_eq!(reply["error"], Value::Null, "{reply}");
    assert!(bob.sessions().is_empty());
    assert_eq!(alice.sessions().len(), 1);
}

#[test]
fn a_user_sees_no_sessions_but_its_own() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    alice.run("true").success();
    bob.run("true").success();
    let replies = peer::call(&bench, &alice.name, "io.podspawn.Sessions.List", &json!({ "user": bob.name }));
    let sessions = replies[0]["parameters"]["sessions"].as_array().unwrap();
    assert!(sessions.len() == 1 && sessions[0]["user"] == alice.name.as_str(), "{replies:?}");
}

#[test]
fn an_account_outside_group_podspawn_gets_nothing() {
    let bench = bench::shared();
    let connect = bench.bash(&["-u", "plain"], "/usr/bin/podspawn spawn </dev/null; echo code:$?");
    assert_eq!(connect.text(), "code:255\n");
    assert!(connect.errors().contains("Permission denied"), "{connect:?}");
    // Even with the socket open, as a helper of the group might hand it over: the uid decides.
    for method in ["io.podspawn.Sessions.List", "io.podspawn.Sessions.Attach"] {
        let reply = peer::call(&bench, "plain:podspawn-keys", method, &json!({ "environment": {} }));
        let text = reply[0].to_string();
        assert!(text.contains("PermissionDenied") || text.contains("Permission denied"), "{method}: {reply:?}");
    }
    for account in ["nobody", "podspawn-keys"] {
        let reply = peer::call(&bench, account, "io.podspawn.Sessions.List", &json!({}));
        assert!(reply[0]["connect"].is_string(), "{account}: {reply:?}");
    }
}

#[test]
fn a_member_of_the_group_whose_account_is_unknown_gets_nothing() {
    let bench = bench::shared();
    let gid = bench.root("getent group podspawn | cut -d: -f3");
    let (method, parameters) = attach(&json!({}));
    let call = format!("{}\0", json!({ "method": method, "parameters": parameters }));
    let heard = peer::say(&bench, &format!("54321:{gid}"), call.as_bytes(), true);
    assert!(heard.closed && heard.replies.is_empty(), "{heard:?}");
    assert_serves(&bench);
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let before = broker_pid(&bench);
    let messages: [&[u8]; 10] = [
        b"\0",
        b"\0\0\0\0",
        b"{}\0",
        b"[]\0",
        b"\xff\xfe\0",
        b"{\"method\": 7}\0",
        b"{\"method\":\"io.podspawn.Sessions.Attach\",\"parameters\":[]}\0",
        b"{\"method\":\"io.podspawn.Sessions.Attach\",\"parameters\":{\"environment\":7}}\0",
        b"{\"method\":\"io.podspawn.Sessions.Attach\",\"parameters\":{\"environment\":{},\"command\":\"%%%\"}}\0",
        b"GET / HTTP/1.1\r\n\r\n\0",
    ];
    for message in messages {
        let heard = peer::say(&bench, &user.name, message, false);
        let good = heard.replies.iter().all(|reply| reply["error"].is_string());
        assert!(
            good && (heard.closed || !heard.replies.is_empty()),
            "{:?}: {heard:?}",
            String::from_utf8_lossy(message)
        );
    }
    let nested = [b"[".repeat(60_000), b"\0".to_vec()].concat();
    assert!(peer::say(&bench, &user.name, &nested, false).closed);
    assert_eq!(broker_pid(&bench), before);
    assert_serves(&bench);
}

#[test]
fn unknown_methods_and_interfaces_are_answered_with_an_error() {
    let bench = bench::shared();
    let user = bench.user();
    for method in ["io.podspawn.Sessions.Destroy", "io.podspawn.Admin.Cleanup", "", "x", "io.systemd.service.Reload"] {
        let reply = peer::call(&bench, &user.name, method, &json!({}));
        assert!(reply[0]["error"].as_str().is_some_and(|error| error.starts_with("org.varlink.service.")), "{reply:?}");
    }
}

#[test]
fn half_a_message_delays_no_other_user() {
    let bench = bench::shared();
    let user = bench.user();
    let half = b"{\"method\":\"io.podspawn.Sess";
    let bytes = BASE64_STANDARD.encode(half);
    std::thread::scope(|scope| {
        let order = Order::Many { socket: BROKER.into(), count: 50, bytes, hold_ms: 6000 };
        let (bench, name) = (&bench, user.name.as_str());
        let connections = scope.spawn(move || peer::send(bench, name, &order));
        assert_serves(bench);
        assert_eq!(connections.join().unwrap()["held"], 50);
    });
    // Nor for ever: a connection that sends nothing is closed.
    let order = Order::Many { socket: BROKER.into(), count: 5, bytes: String::new(), hold_ms: 35_000 };
    assert_eq!(peer::send(&bench, &user.name, &order)["held"], 0);
}

#[test]
fn an_endless_message_is_cut_off() {
    let bench = bench::shared();
    let user = bench.user();
    let order =
        Order::Deaf { socket: BROKER.into(), bytes: BASE64_STANDARD.encode(vec![b'x'; 60_000]), hold_ms: 20_000 };
    let found = peer::send(&bench, &user.name, &order);
    assert_eq!(found["closed"], true, "{found}");
    // The bound, what the socket's buffers hold, and one read.
    assert!(found["written"].as_u64().unwrap() < 4 << 20, "{found}");
    assert_serves(&bench);
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    let bench = bench::shared();
    let user = bench.user();
    let memory = || -> u64 {
        let kib = bench.root(&format!("ps -o rss= -p {}", broker_pid(&bench)));
        kib.trim().parse().unwrap()
    };
    user.run("true").success();
    let before = memory();
    let question = b"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.podspawn.Sessions\"}}\0";
    let bytes = BASE64_STANDARD.encode(question.repeat(500));
    let order = Order::Deaf { socket: BROKER.into(), bytes, hold_ms: 25_000 };
    let found = peer::send(&bench, &user.name, &order);
    assert_eq!(found["closed"], true, "{found}");
    assert!(memory() < before + 10_000, "{before} KiB, then {} KiB", memory());
    assert_serves(&bench);
}

#[test]
fn a_project_that_is_a_path_is_refused() {
    let bench = bench::shared();
    let user = bench.user();
    for project in ["../x", "../../etc", "/etc", "one/../closed", "-x", ".", "..", "a b", "$(id)"] {
        let done = spawn(&user, &[&format!("--project={project}")], "true");
        assert_eq!((done.code, done.text().as_str()), (Some(255), ""), "{project}");
        assert_one_line(&done);
    }
    assert_eq!(user.ssh_in("../x", "true").code, Some(255));
    assert!(user.sessions().is_empty());
}

#[test]
fn a_command_of_almost_128_kib_arrives_and_a_longer_one_is_refused() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let run = |user: &User<'_>, length: usize| {
        let mut command = b"echo ${#x} #".to_vec();
        command.resize(length, 0xfe);
        Finished::of(user.ssh(&[]).arg(OsString::from_vec(command)), b"")
    };
    // sshd hands it over in one variable, which execve(2) bounds to 128 KiB with its name and the zero at its end.
    let longest = 128 * 1024 - "SSH_ORIGINAL_COMMAND=".len() - 1;
    assert_eq!(run(&user, longest).quiet_success(), "0");
    assert_eq!(run(&plain, longest).quiet_success(), "0");
    let refused = run(&user, longest + 1);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(refused.text(), "");
    assert!(refused.errors().contains("Argument list too long"), "{refused:?}");
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
}

#[test]
fn a_forged_command_beyond_the_bound_is_refused() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let method = "io.podspawn.Sessions.Attach";
    let attach_with = |length: usize| {
        let order = Order::LongCommand { socket: BROKER.into(), method: method.into(), length };
        peer::send(&bench, &user.name, &order)["replies"][0].clone()
    };
    let fits = attach_with(MAX_COMMAND_BYTES - 1);
    assert!(fits["error"].is_null() && fits["parameters"]["channelFd"] == 0, "{fits}");
    let refused = attach_with(MAX_COMMAND_BYTES);
    assert_eq!(refused["error"], "io.podspawn.Sessions.Denied", "{refused}");
    assert!(refused["parameters"].to_string().contains(&MAX_COMMAND_BYTES.to_string()), "{refused}");
    let newline = json!({ "command": BASE64_STANDARD.encode(b"a\0b") });
    assert_eq!(attach_as(&bench, &user.name, &newline)["error"], "org.varlink.service.InvalidParameter");
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
}

#[test]
fn user_names_with_dots_dashes_and_a_dollar_work_and_stay_apart() {
    let bench = bench::shared();
    let names = ["t-a.b", "t-a-one", "t-a", "t_x", "t-c$"];
    Finished::of(bench.script().arg("user").args(names), b"").success();
    let users = names.map(|name| User { bench: &bench, name: name.into() });
    for user in &users {
        // As a login name: ssh takes no such host name.
        let mut ssh = bench.plain().ssh(&["-l", &user.name]);
        let printed = Finished::of(ssh.arg("id -un; echo ~"), b"").quiet_success();
        assert_eq!(printed, format!("{0}\n/home/{0}", user.name));
    }
    // Container names collide here (t-a with project one, and t-a-one); sessions do not.
    let project = users[2].ssh_in("one", "id -un").quiet_success();
    assert_eq!(project, "t-a");
    assert_eq!(users[1].run("id -un").quiet_success(), "t-a-one");
    for user in &users {
        for container in user.containers() {
            bench.root(&format!("docker rm --force {container}"));
        }
    }
}

#[test]
fn two_users_see_nothing_of_each_other() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    let _listens = bob.start(&[], "echo ready; exec rsync --daemon --no-detach --port=8022 --config=/dev/null");
    alice.run("true").success();
    assert_ne!(alice.container(), bob.container());
    let seen = alice.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls /home; cat /proc/mounts").text();
    assert!(!seen.contains("rsync") && !seen.contains(&bob.name), "{seen}");
    let address = bench.root(&format!(
        "docker inspect --format '{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}}{{{{end}}}}' {}",
        bob.container()
    ));
    // A connection that gets through is greeted; without a route it fails or hangs.
    let knock = format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/8022; head -c 8 <&3'");
    let own = || bob.run(&knock).text();
    eventually("bob's own knock is answered", || own() == "@RSYNCD:");
    let from_alice = alice.run(&knock);
    assert_eq!((from_alice.code != Some(0), from_alice.text().as_str()), (true, ""), "{from_alice:?}");
    assert_eq!(own(), "@RSYNCD:", "bob listens no longer: alice's failure says nothing");
}

#[test]
fn the_engine_and_the_hosts_files_are_not_in_the_container() {
    let bench = bench::shared();
    let user = bench.user();
    let look = "ls /run/docker.sock /var/run/docker.sock /run/podspawn /var/lib/podspawn /etc/podspawn 2>/dev/null; \
                echo x >/.podspawn/podspawn; echo x >/.podspawn/run/x; rm -f /.podspawn/podspawn; ls -A /.podspawn/run";
    let done = user.run(look);
    assert_eq!(done.text(), "broker.sock\n", "{done:?}");
}

#[test]
fn a_container_root_that_kills_or_stops_everything_disturbs_itself_only() {
    let bench = bench::shared();
    let (user, other) = (bench.user(), bench.user());
    let steady = other.start(&[], "echo ready; read -r go; echo went; exit 4");
    let process = user.start(&[], "echo ready; exec sleep 1000");
    // Signals that PID 1 of a container does not handle have no effect from inside, whichever user sends them.
    user.inside("kill -STOP 1; kill -KILL 1; kill -STOP -1; kill -KILL -1");
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
    user.run("kill -STOP 1; kill -KILL 1; kill -KILL -1");
    assert_ne!(process.finish().code, Some(0));
    eventually("the user gets in again", || user.run("true").code == Some(0));
    let mut steady = steady;
    steady.send(b"go\n".to_vec());
    let done = steady.finish();
    assert_eq!((done.code, done.text().as_str()), (Some(4), "went\n"));
}

#[test]
fn symlinks_in_a_home_lead_nowhere_on_the_host() {
    let bench = bench::shared();
    let user = bench.user();
    let before = bench.accounts();
    user.run("cd ~ && rm -f .bash_profile && ln -s /etc/shadow link && ln -s / root && ls root/.podspawn").success();
    let here = tempfile::tempdir().unwrap();
    let got = user.sftp(here.path(), "get root/etc/hostname\n");
    got.success();
    assert!(std::fs::read_to_string(here.path().join("hostname")).unwrap().starts_with("podspawn-"));
    assert_eq!(bench.accounts(), before);
}
