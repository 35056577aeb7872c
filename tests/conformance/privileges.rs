//! What each part may, as it runs.

use crate::bench;

#[test]
fn the_running_broker_has_no_capability_at_all() {
    let bench = bench::shared();
    bench.user().run("true").success();
    let status = bench.root("cat /proc/$(systemctl show -P MainPID podspawn-broker.service)/status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let line = status.lines().find(|line| line.starts_with(set)).unwrap();
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    for (name, value) in [("NoNewPrivs:", "1"), ("Seccomp:", "2")] {
        assert!(status.lines().any(|line| line.split_whitespace().eq([name, value])), "{name}: {status}");
    }
    let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(uid, bench.root("id -u podspawn"));
}

#[test]
fn only_the_broker_is_in_group_docker() {
    let bench = bench::shared();
    let user = bench.user();
    let _session = user.start(&[], "echo ready; exec sleep 1000");
    let _terminal = user.shell();
    // Of everything that is podspawn's, by its effective groups. The relay account is the benchmark's.
    let script = "docker=$(getent group docker | cut -d: -f3)\n\
        for p in $(pgrep -x podspawn; pgrep -u podspawn); do\n\
          [ \"$(readlink /proc/$p/ns/pid)\" = \"$(readlink /proc/self/ns/pid)\" ] || continue\n\
          if grep -E '^(Groups|Gid):' /proc/$p/status | tr '\\t ' '\\n\\n' | grep -qx \"$docker\"; then echo \"$(tr '\\0' ' ' </proc/$p/cmdline)\"; fi\n\
        done | sort -u";
    let found = bench.root(script);
    assert!(found.lines().count() == 1 && found.ends_with("/bin/podspawn broker "), "{found}");
    let members = bench.root("getent group docker | cut -d: -f4 | tr , '\\n' | grep -vx relay || true");
    assert_eq!(members, "");
    assert!(!bench.root(&format!("id -nG {}", user.name)).contains("docker"));
}

#[test]
fn spawn_opens_neither_the_engine_nor_the_state() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let script = format!(
        "strace -f -o /run/podspawn-test/{0}.strace -s 200 setpriv --reuid {0} --regid podspawn --init-groups \
         env -i SSH_ORIGINAL_COMMAND='echo traced' /usr/bin/podspawn spawn </dev/null",
        user.name
    );
    assert_eq!(bench.root(&script), "traced");
    let trace = bench.root(&format!("cat /run/podspawn-test/{}.strace", user.name));
    assert!(trace.contains("/run/podspawn/broker.sock"));
    for forbidden in ["docker", "containerd", "state.db", "/var/lib/podspawn", "/etc/podspawn"] {
        let lines: Vec<&str> = trace.lines().filter(|line| line.contains(forbidden)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}

#[test]
fn a_podspawn_user_can_read_neither_state_nor_keys_nor_engine() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    for path in [
        "/var/lib/podspawn/state.db",
        "/etc/podspawn/keys",
        "/run/podspawn/guests",
        "/var/log/podspawn",
        "/run/docker.sock",
    ] {
        // The content of a file, the names in a directory.
        let read =
            bench.bash(&["-u", &user.name], &format!("if [ -d {path} ]; then ls {path}; else head -c 1 {path}; fi"));
        assert!(read.code != Some(0) && read.out.is_empty(), "{path}: {read:?}");
    }
    let connect =
        bench.bash(&["-u", &user.name], "curl --silent --max-time 5 --unix-socket /run/docker.sock http://d/version");
    assert!(connect.code != Some(0) && connect.out.is_empty(), "{connect:?}");
}

#[test]
fn the_journal_has_logins_and_their_ends_with_fields() {
    let bench = bench::shared();
    let user = bench.user();
    assert_eq!(user.run("exit 3").code, Some(3));
    bench::eventually("the events are in the journal", || {
        let events = bench.root(&format!(
            "journalctl -u podspawn-broker -o json --no-pager PODSPAWN_USER={} | jq -r .PODSPAWN_EVENT",
            user.name
        ));
        ["container_create", "connect", "disconnect"].iter().all(|event| events.lines().any(|line| line == *event))
    });
}

#[test]
fn no_command_and_no_environment_is_in_the_journal() {
    let bench = bench::shared();
    let user = bench.user();
    let secret = format!("s3cret-{}-{}", user.name, std::process::id());
    user.run(format!("echo {secret}")).success();
    let found = bench.root(&format!("journalctl -u podspawn-broker --no-pager | grep -c {secret} || true"));
    assert_eq!(found, "0");
}
