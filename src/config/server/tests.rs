use super::*;
use std::path::Path;

/// The file of the contract, with its defaults, as operators know it.
const CONTRACT: &str = r#"
auth:      { key_dir: /etc/podspawn/keys }
defaults:  { image: "ubuntu:24.04", shell: /bin/bash, cpus: 2.0, memory: 2g }
session:   { mode: grace-period, grace_period: 60s, max_lifetime: 8h, ttl: 8h, idle_timeout: 0s }
state:     { db_path: /var/lib/podspawn/state.db, homes_dir: /var/lib/podspawn/homes }
log:       { file: "", audit_log: "" }
resources: { max_containers: 50, max_per_user: 3 }
network:   { pool: 10.209.0.0/16, prefix: 28 }
security:
  cap_drop: [ALL]
  cap_add: [CHOWN, SETUID, SETGID, DAC_OVERRIDE, FOWNER, NET_BIND_SERVICE]
  no_new_privileges: true
  pids_limit: 256
  readonly_rootfs: false
  tmpfs: {}
  runtime: ""
  seccomp_profile: ""
  uid_range: 65536-99999
engine:    { host: "unix:///var/run/docker.sock" }
backup:    { dir: /var/backups/podspawn, keep: 14 }
metrics:   { per_user: false }
"#;

fn messages(text: &str) -> Vec<String> {
    Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    assert_eq!(Config::parse(CONTRACT).unwrap(), Config::default());
    for empty in ["", "# nothing\n", "session:\n", "session: {}\n", "---\n"] {
        assert_eq!(Config::parse(empty).unwrap(), Config::default(), "{empty:?}");
    }
    let file = Config::parse("projects_file: /etc/podspawn/projects.yaml").unwrap().projects_file;
    assert_eq!(file.unwrap().as_path(), Path::new("/etc/podspawn/projects.yaml"));
}

#[test]
fn the_shipped_file_has_every_key_with_its_default_and_sets_nothing() {
    let shipped = include_str!("../../../systemd/etc/config.yaml");
    assert_eq!(Config::parse(shipped).unwrap(), Config::default());
    // What has a blank behind its # is prose.
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") || line.starts_with("#  ");
    let keys: Vec<&str> = shipped.lines().filter(|line| is_key(line)).map(|line| &line[1..]).collect();
    let named = keys.join("\n");
    let given = Config::parse(&named).unwrap();
    // A file beside config.yaml by default, wherever that is; shipped, it is that one.
    let projects_file = given.projects_file.clone();
    assert_eq!(given, Config { projects_file, ..Config::default() });
    let root = yaml::parse(&named).unwrap();
    for key in KEYS.iter().copied().flatten() {
        let section = if key.section.is_empty() { &root } else { value_of(&root, key.section) };
        value_of(section, key.name);
    }
}

/// The value of a key that is given.
fn value_of<'a>(node: &'a yaml::Node, key: &str) -> &'a yaml::Node {
    let yaml::Value::Map(entries) = &node.value else { panic!("{key}: no mapping") };
    let found = entries.iter().find(|(name, _)| matches!(&name.value, yaml::Value::Text(text) if text == key));
    &found.unwrap_or_else(|| panic!("{key} is not in the file")).1
}

#[test]
fn every_key_changes_its_setting() {
    let changed = Config::parse(
        r#"
auth:      { key_dir: /k }
defaults:  { image: "debian", shell: /bin/sh, cpus: 1, memory: 512m }
session:   { mode: persistent, grace_period: 0s, max_lifetime: 0s, ttl: 1h30m, idle_timeout: 5m }
state:     { db_path: /db, homes_dir: /homes }
log:       { file: /log, audit_log: /audit }
resources: { max_containers: 5, max_per_user: 1 }
network:   { pool: 192.168.0.0/20, prefix: 24 }
security:
  cap_drop: [CAP_NET_RAW]
  cap_add: []
  no_new_privileges: false
  pids_limit: 1024
  readonly_rootfs: true
  tmpfs: { /tmp: "size=64m,noexec", /run: "" }
  runtime: runsc
  seccomp_profile: /etc/podspawn/seccomp.json
engine:    { host: "unix:///run/podman/podman.sock" }
projects_file: /p.yaml
backup:    { dir: /mnt/backups, keep: 3 }
metrics:   { per_user: true }
"#,
    )
    .unwrap();
    let default = Config::default();
    assert_ne!(changed.auth, default.auth);
    assert_eq!(changed.session.mode, Mode::Named);
    assert_eq!(changed.session.ttl.as_secs(), 5_400);
    assert_eq!(changed.network.capacity(), 16);
    assert_eq!(changed.security.cap_drop, ["NET_RAW"]);
    assert!(changed.security.cap_add.is_empty());
    let hardening = changed.security.hardening(Some("{}".into()));
    assert_eq!(hardening.tmpfs["/tmp"], "size=64m,noexec");
    assert_eq!((hardening.runtime.as_deref(), hardening.seccomp.as_deref()), (Some("runsc"), Some("{}")));
    assert_eq!(changed.engine.socket(), Path::new("/run/podman/podman.sock"));
    // No section was forgotten by the reader.
    assert_ne!((changed.defaults, changed.state, changed.log), (default.defaults, default.state, default.log));
    assert_ne!(changed.resources, default.resources);
    assert_eq!((changed.backup.dir.as_path(), changed.backup.keep), (Path::new("/mnt/backups"), 3));
    assert!(changed.metrics.per_user);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place_and_a_remedy() {
    let text = "\
defaults:
  memroy: 2g
  cpus: many
  memory: 2
session: {mode: forever, grace_period: 60}
ressources: {max_containers: 3}
resources: {max_per_user: 0}
";
    assert_eq!(
        messages(text),
        [
            "2:3: unknown key \"memroy\" in defaults; did you mean \"memory\"?",
            "3:9: defaults.cpus: \"many\" is not a number of cpus such as 2.0",
            "4:11: defaults.memory: \"2\" is less than the 6m that the engine needs; 2g is two gibibytes",
            "5:17: session.mode: \"forever\" is not a mode; the modes are grace-period, destroy-on-disconnect, ttl, named, \
         persistent",
            "5:40: session.grace_period: \"60\" is not a duration such as 60s, 5m, 1h30m or 2d, at most ten years",
            "6:1: unknown key \"ressources\"; did you mean \"resources\"?",
            "7:27: resources.max_per_user: \"0\" is not a number from 1 to 100000",
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    for bad in [
        "network: {pool: 10.0.0.0/24, prefix: 16}",
        "network: {prefix: 30}",
        "network: {pool: 10.0.0.1/24}",
        "network: {pool: 10.209.0.0/29}",
        "engine: {host: \"tcp://127.0.0.1:2375\"}",
        "engine: {host: /var/run/docker.sock}",
        "defaults: {shell: bash}",
        "defaults: {image: \"--privileged\"}",
        "defaults: {cpus: .inf}",
        "defaults: {cpus: .nan}",
        "session: {ttl: 0s}",
        "backup: {keep: 0}",
        "backup: {dir: backups}",
        "security: {cap_add: [EVERYTHING]}",
        "security: {cap_add: [ALL]}",
        "security: {no_new_privileges: yes}",
        "security: {pids_limit: 0}",
        "security: {runtime: \"a b\"}",
        "security: {seccomp_profile: seccomp.json}",
        "security: {uid_range: 60000-70000}",
        "security: {tmpfs: [/tmp]}",
        "auth: {key_dir: /etc/../keys}",
        "state: {homes_dir: /var/lib/podspawn}",
        "state: {db_path: /var/lib/podspawn/homes/state.db}",
        "defaults: {image: }",
        "defaults: [a]",
        "[]",
        "text",
        "log: {file: [a]}",
        "log: {file: /var/log/x, audit_log: /var/log/x}",
    ] {
        let found = messages(bad);
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with("1:"), "{found:?}");
    }
}

#[test]
fn a_key_given_twice_is_refused_with_both_places() {
    assert_eq!(messages("log: {file: /a}\nlog: {file: /b}\n"), ["2:1: log is given twice, first in line 1"]);
}

#[test]
fn the_key_directory_survives_a_mistake_elsewhere() {
    assert_eq!(Config::key_dir("auth: {key_dir: /k}\nsession: {mode: forever}").as_path(), Path::new("/k"));
    for text in ["", "auth: {key_dir: keys}", "auth: [", "x: 1"] {
        assert_eq!(Config::key_dir(text).as_path(), Path::new("/etc/podspawn/keys"), "{text:?}");
    }
}
