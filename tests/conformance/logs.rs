//! What operators read: the journal and its catalog, the log file, rotation as it is shipped. And what must never be in
//! any of it.

mod alone;

use crate::{
    audit,
    bench::{self, Bench, Disturbance, User, eventually},
};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const FILE: &str = "/var/log/podspawn/podspawn.log";
/// The rules as they are installed, for the shell: a file of a package's, or among those that NixOS declares.
const SHIPPED: &str = "$(ls /etc/logrotate.d/podspawn 2>/dev/null || echo /etc/logrotate.conf)";

impl User<'_> {
    /// The journal's entries of one kind of event of this user.
    fn journaled(&self, event: &str) -> Vec<Value> {
        let lines = self.bench.root(&format!(
            "journalctl --quiet --no-pager --output json PODSPAWN_USER={} PODSPAWN_EVENT={event}",
            self.name
        ));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Comes and goes with exit code 3, and returns when that is printed.
    fn visit(&self) {
        self.run("exit 3");
        eventually("it is logged", || !self.journaled("disconnect").is_empty());
    }

    /// The log file's lines of one kind of event of this user.
    fn logged(&self, event: &str) -> Vec<String> {
        let file = self.bench.root(&format!("cat {FILE}"));
        let own =
            |line: &&str| line.contains(&format!(" event={event} ")) && line.contains(&format!(" user={} ", self.name));
        file.lines().filter(own).map(str::to_owned).collect()
    }
}

#[test]
fn the_journal_has_every_event_with_its_fields() {
    let bench = bench::shared();
    let user = bench.user();
    user.visit();
    // A bench that was up before has those of an earlier run, too.
    let connect = user.journaled("connect").pop().unwrap();
    for field in ["PODSPAWN_SESSION", "PODSPAWN_CHANNEL"] {
        assert!(connect[field].is_string(), "{connect}");
    }
    let container = format!("podspawn-{}", user.name);
    assert_eq!((&connect["PODSPAWN_CONTAINER"], &connect["PRIORITY"]), (&container.into(), &"5".into()), "{connect}");
    assert_eq!(connect["SYSLOG_IDENTIFIER"], "podspawn");

    // By its message id, as an operator's alert would ask.
    let id = connect["MESSAGE_ID"].as_str().expect("no message id");
    let session = connect["PODSPAWN_SESSION"].as_str().unwrap();
    let found = bench.root(&format!("journalctl --quiet --no-pager MESSAGE_ID={id} PODSPAWN_SESSION={session}"));
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn the_journals_catalog_explains_an_event() {
    let bench = bench::shared();
    let user = bench.user();
    user.visit();
    let explained = bench.root(&format!(
        "journalctl --quiet --no-pager --catalog PODSPAWN_USER={} PODSPAWN_EVENT=disconnect",
        user.name
    ));
    for part in [
        &format!("Subject: {} disconnected", user.name),
        "Defined-By: podspawn",
        &format!("A connection of user {} to the container podspawn-{} ended:", user.name, user.name),
        "exit code 3. Connections that are left: 0.",
    ] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}

#[test]
fn the_log_file_has_a_line_for_every_event() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("echo 'a\nb'").success();
    eventually("it is logged", || !user.logged("disconnect").is_empty());
    for event in ["container_create", "connect", "command", "disconnect"] {
        let lines = user.logged(event);
        assert_eq!(lines.len(), 1, "{event}: {lines:?}");
        let (time, rest) = lines[0].split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time > bench.began() && rest.starts_with("INFO "), "{lines:?}");
    }
    assert!(user.logged("command")[0].contains(r#" command="echo 'a\nb'" "#), "{:?}", user.logged("command"));
    assert_eq!(bench.root(&format!("stat --format '%a %U %G' {FILE}")), "640 podspawn podspawn-admin");
}

/// How often that was printed.
fn reported(bench: &Bench, event: &str) -> usize {
    bench.root(&format!("journalctl --quiet --no-pager --output cat PODSPAWN_EVENT={event}")).lines().count()
}

#[test]
fn values_of_variables_and_comments_of_keys_are_in_no_log() {
    let bench = bench::shared();
    let secrets = ["hunter2-from-the-file", "hunter3-from-the-client", "carols-secret-comment", "hunter4-in-an-option"];
    let user = bench.user_with(&format!("env: {{ TOKEN: {} }}", secrets[0]));
    // A comment behind a good key, behind one whose option is dropped, and on lines that are no keys.
    let keys = format!("/etc/podspawn/keys/{}", user.name);
    bench.root(&format!(
        "key=$(cat {keys}); printf '%s\\n' \"$key {comment}\" \"environment=\\\"A={option}\\\" $key {comment}\" \
         \"ssh-ed25519 AAAA {comment}\" \"ssh-rsa {comment}\" \"{comment}\" >{keys}",
        comment = secrets[2],
        option = secrets[3],
    ));
    let client = format!("SetEnv=LC_TOKEN={}", secrets[1]);
    let seen = user.run_with(&["-o", &client], "printenv TOKEN LC_TOKEN", b"").success();
    assert_eq!(seen, format!("{}\n{}", secrets[0], secrets[1]));
    // A refused login has them too.
    user.run_with(&["-o", "SetEnv=LC_TOKEN=hunter3-from-the-client PODSPAWN_PROJECT=closed"], "true", b"");
    eventually("it is logged", || !user.logged("disconnect").is_empty());
    eventually("so are the lines that are no keys", || !user.journaled("auth_keys").is_empty());

    // What an administrator reads, and what could be read of it. The command itself is in there, and has no secret.
    let began = bench.began().replace('T', " ");
    let everything = bench.root(&format!(
        "TZ=UTC journalctl --quiet --no-pager --all --output export --since '{began}'; \
         zcat --force /var/log/podspawn/*"
    ));
    assert!(everything.contains("printenv TOKEN LC_TOKEN") && everything.contains(&user.name));
    for secret in secrets {
        let line = everything.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret}: {line:?}");
    }
}
