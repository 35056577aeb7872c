//! `doctor` on a host that is well, and on one that is broken in one place after the other: each time it names that
//! place and no other, and what it says helps.

use crate::{
    bench::{self, Bench, DEADLINE, Disturbance},
    client::Finished,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// A host that is well: timers, a backup, a way in for root, and of the configuration only what is the bench's own.
const PREPARE: &str = r"
mkdir -p /run/podspawn-test && cd /run/podspawn-test && rm -rf doctor && mkdir doctor
cp -a /etc/ssh /etc/podspawn doctor/
find /etc/podspawn/users -name '*.yaml' -delete
printf '{}\n' >/etc/podspawn/projects.yaml
install -d -m 0700 /root/.ssh
install -m 0600 /etc/podspawn/keys/alice /root/.ssh/authorized_keys
systemd-tmpfiles --create podspawn.conf
systemctl --quiet enable --now podspawn-broker.socket podspawn-cleanup.timer podspawn-backup.timer
systemctl reload ssh
systemctl start podspawn-cleanup.service podspawn-backup.service
podspawn cleanup
";

/// Whatever is left of a sabotage that was not healed, and of [`PREPARE`].
const MEND: &str = r"
cd /run/podspawn-test
umount /var/lib/podspawn/homes /etc/ssh 2>/dev/null
rm -f /usr/local/sbin/sshd /usr/bin/podspawn.new
chmod 0755 /usr/bin/podspawn
[ ! -d doctor/podspawn ] || { rm -rf /etc/podspawn && mv doctor/podspawn /etc/podspawn; }
[ ! -d doctor/ssh ] || { rm -rf /etc/ssh && mv doctor/ssh /etc/ssh; }
[ ! -f doctor/logrotate ] || mv doctor/logrotate /etc/logrotate.d/podspawn
for log in podspawn.log audit.jsonl; do
    rmdir /var/log/podspawn/$log 2>/dev/null
    [ ! -f doctor/$log ] || mv doctor/$log /var/log/podspawn/
done
rm -rf /root/.ssh/authorized_keys /run/systemd/system/podspawn-cleanup.service.d /var/lib/podspawn/locks
usermod --shell /bin/sh --expiredate '' alice
gpasswd --delete alice docker >/dev/null 2>&1
ip route del 10.0.0.0/8 dev lo 2>/dev/null
docker rm --force podspawn-doctor-orphan >/dev/null 2>&1
systemctl daemon-reload
systemctl start docker
systemd-sysusers podspawn.conf; systemd-tmpfiles --create podspawn.conf
systemctl --quiet disable --now podspawn-cleanup.timer podspawn-backup.timer
systemctl --quiet enable --now podspawn-broker.socket
systemctl try-restart podspawn-broker.service
systemctl reload-or-restart ssh && sleep 0.2
ssh-keyscan -T 5 127.0.0.1 >/dev/null 2>&1
";

/// What is as the machine is that the bench is on: nothing of the bench's.
const MACHINES: [&str; 4] = ["clock", "disk", "engine-isolation", "engine-runtime"];

/// What is so on every bench: the journal is in memory, and 480 users could start more than any machine holds.
const KNOWN: [&str; 2] = ["journal", "memory"];

/// What only the broker knows; without it nobody does.
const ONLY_THE_BROKER: [&str; 13] = [
    "broker-version",
    "config",
    "engine",
    "engine-isolation",
    "engine-runtime",
    "engine-limits",
    "guest-channel",
    "images",
    "orphans",
    "network-pool",
    "homes",
    "log-file",
    "audit-log",
];

/// How a sabotage is undone.
enum Heal {
    /// By what doctor says, word for word.
    AsTold,
    /// As doctor says at another check, of which this one is a consequence.
    AsToldBy(&'static str),
    /// What doctor says leaves something to its reader.
    By(&'static str),
}
use Heal::{AsTold, AsToldBy, By};

/// What is broken: the check that has to name it, the others that follow from it, how, and how it is healed.
struct Sabotage(&'static str, &'static [&'static str], &'static str, Heal);

const RELOAD: &str = "sshd -t && systemctl reload ssh && sleep 0.1";
const FIRST: &str = "/etc/ssh/sshd_config.d/05-doctor.conf";

/// `{RELOAD}` and `{FIRST}` in a script stand for those above.
const SABOTAGES: &[Sabotage] = &[
    Sabotage(
        "sshd-version",
        &[],
        "printf '#!/bin/sh\n[ \"$1\" != -V ] || { echo OpenSSH_8.4p1 >&2; exit 0; }\nexec /usr/sbin/sshd \"$@\"\n' >/usr/local/sbin/sshd
         chmod 0755 /usr/local/sbin/sshd",
        By("rm /usr/local/sbin/sshd"),
    ),
    Sabotage(
        "sshd-config",
        &[],
        "sed -i 's/AllowTcpForwarding no/AllowTcpForwarding yes/' /etc/ssh/sshd_config.d/50-podspawn.conf; {RELOAD}",
        By("rm /etc/ssh/sshd_config.d/50-podspawn.conf; podspawn server-setup; sleep 0.1"),
    ),
    Sabotage(
        "sshd-config",
        &[
            "sshd-users",
            "sshd-startups",
            "sshd-running",
            "sshd-reload",
            "sshd-binary",
            "accounts-open",
            "key-lookup",
            "key-files",
            "ways-in",
        ],
        "echo 'Nonsense yes' >{FIRST}",
        By("rm {FIRST}; systemctl reload ssh; sleep 0.1"),
    ),
    Sabotage("sshd-users", &[], "echo 'DenyGroups podspawn' >{FIRST}; {RELOAD}", By("rm {FIRST}; {RELOAD}")),
    // Of this option alone sshd takes the last value.
    Sabotage(
        "sshd-startups",
        &[],
        "echo 'MaxStartups 2:30:4' >/etc/ssh/sshd_config.d/95-doctor.conf; {RELOAD}",
        By("rm /etc/ssh/sshd_config.d/95-doctor.conf; {RELOAD}"),
    ),
    // Debian's sshd says nothing of its files while its service does not run.
    Sabotage(
        "sshd-running",
        &[
            "sshd-config",
            "sshd-users",
            "sshd-startups",
            "sshd-binary",
            "accounts-open",
            "key-lookup",
            "key-files",
            "ways-in",
        ],
        "systemctl stop ssh",
        AsTold,
    ),
    Sabotage("sshd-reload", &[], "sleep 0.1; touch /etc/ssh/sshd_config.d/50-podspawn.conf", AsTold),
    Sabotage("sshd-binary", &[], "chmod 0775 /usr/bin/podspawn", By("chmod 0755 /usr/bin/podspawn")),
    Sabotage(
        "broker-version",
        &[],
        "cp -p /usr/bin/podspawn /usr/bin/podspawn.new && mv /usr/bin/podspawn.new /usr/bin/podspawn",
        AsTold,
    ),
    Sabotage(
        "key-lookup",
        &["key-files", "directories"],
        "chown root:root /etc/podspawn/keys",
        AsToldBy("directories"),
    ),
    Sabotage("key-files", &[], "echo 'no key at all' >>/etc/podspawn/keys/alice", By("sed -i '$d' /etc/podspawn/keys/alice")),
    Sabotage("accounts", &["directories"], "groupdel podspawn-admin", AsTold),
    Sabotage("accounts-open", &[], "usermod --expiredate 1 alice", AsTold),
    Sabotage("account-shells", &[], "usermod --shell /usr/sbin/nologin alice", AsTold),
    Sabotage("engine-access", &[], "gpasswd --add alice docker", AsTold),
    Sabotage("engine-access", &[], "chmod 0666 /var/run/docker.sock", AsTold),
    Sabotage("directories", &[], "chmod 0777 /var/lib/podspawn", AsTold),
    Sabotage("config", &[], "echo 'nosuch: 1' >/etc/podspawn/users/zoe.yaml", By("rm /etc/podspawn/users/zoe.yaml")),
    Sabotage("broker-socket", &[], "chmod 0666 /run/podspawn/broker.sock", AsTold),
    Sabotage("broker-socket", &[], "systemctl --quiet disable podspawn-broker.socket", AsTold),
    Sabotage("units", &[], "touch /usr/lib/systemd/system/podspawn-backup.timer", AsTold),
    Sabotage(
        "engine-runtime",
        &[],
        "sed -i '$asecurity: { runtime: nosuch }' /etc/podspawn/config.yaml",
        By("sed -i '$d' /etc/podspawn/config.yaml"),
    ),
    Sabotage(
        "images",
        &[],
        "echo 'image: \"nosuch:1\"' >/etc/podspawn/users/alice.yaml",
        By("rm /etc/podspawn/users/alice.yaml"),
    ),
    Sabotage(
        "orphans",
        &[],
        "docker create --name podspawn-doctor-orphan --label managed-by=podspawn podspawn-workload:latest true",
        AsTold,
    ),
    Sabotage("network-pool", &[], "ip route add 10.0.0.0/8 dev lo", By("ip route del 10.0.0.0/8 dev lo")),
    Sabotage(
        "disk",
        &[],
        "mount -t tmpfs -o size=200m,mode=0700,uid=podspawn,gid=podspawn tmpfs /var/lib/podspawn/homes",
        By("umount /var/lib/podspawn/homes"),
    ),
    Sabotage(
        "inodes",
        &[],
        "mount -t tmpfs -o size=6g,nr_inodes=500,mode=0700,uid=podspawn,gid=podspawn tmpfs /var/lib/podspawn/homes",
        By("umount /var/lib/podspawn/homes"),
    ),
    Sabotage("state-db", &[], "chmod 0644 /var/lib/podspawn/state.db", AsTold),
    Sabotage(
        "homes",
        &[],
        "mount -t tmpfs -o ro,size=6g,mode=0700,uid=podspawn,gid=podspawn tmpfs /var/lib/podspawn/homes",
        By("umount /var/lib/podspawn/homes"),
    ),
    Sabotage("lock-directory", &[], "mkdir /var/lib/podspawn/locks", AsTold),
    Sabotage(
        "log-file",
        &[],
        "mv /var/log/podspawn/podspawn.log /run/podspawn-test/doctor/ && mkdir /var/log/podspawn/podspawn.log",
        By("rmdir /var/log/podspawn/podspawn.log && mv /run/podspawn-test/doctor/podspawn.log /var/log/podspawn/"),
    ),
    Sabotage(
        "audit-log",
        &[],
        "systemctl stop podspawn-broker.service
         mv /var/log/podspawn/audit.jsonl /run/podspawn-test/doctor/ && mkdir /var/log/podspawn/audit.jsonl",
        By("rmdir /var/log/podspawn/audit.jsonl && mv /run/podspawn-test/doctor/audit.jsonl /var/log/podspawn/"),
    ),
    Sabotage(
        "logrotate",
        &[],
        "mv /etc/logrotate.d/podspawn /run/podspawn-test/doctor/logrotate",
        By("mv /run/podspawn-test/doctor/logrotate /etc/logrotate.d/podspawn"),
    ),
    Sabotage("cleanup-timer", &[], "systemctl stop podspawn-cleanup.timer", AsTold),
    Sabotage(
        "cleanup-last",
        &[],
        "mkdir -p /run/systemd/system/podspawn-cleanup.service.d
         printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >/run/systemd/system/podspawn-cleanup.service.d/fail.conf
         systemctl daemon-reload; ! systemctl start podspawn-cleanup.service 2>/dev/null",
        By("rm -r /run/systemd/system/podspawn-cleanup.service.d; systemctl daemon-reload; systemctl start podspawn-cleanup.service"),
    ),
    Sabotage("backup-timer", &[], "systemctl --quiet disable podspawn-backup.timer", AsTold),
    Sabotage("backup-last", &[], "rm -r /var/backups/podspawn/2*", AsTold),
    Sabotage(
        "ways-in",
        &[],
        "rm /root/.ssh/authorized_keys",
        By("install -m 0600 /etc/podspawn/keys/alice /root/.ssh/authorized_keys"),
    ),
    Sabotage(
        "immutable",
        &[],
        "mount --bind /etc/ssh /etc/ssh && mount -o remount,bind,ro /etc/ssh",
        By("umount /etc/ssh"),
    ),
    Sabotage(
        "broker",
        &[
            "broker-socket",
            "broker-version",
            "config",
            "engine",
            "engine-isolation",
            "engine-runtime",
            "engine-limits",
            "guest-channel",
            "images",
            "orphans",
            "network-pool",
            "homes",
            "log-file",
            "audit-log",
        ],
        bench::STOP_BROKER,
        AsToldBy("broker-socket"),
    ),
    Sabotage(
        "engine",
        &["engine-isolation", "engine-runtime", "engine-limits", "images", "orphans"],
        "systemctl stop docker.socket docker.service",
        AsTold,
    ),
];

/// Each check with its outcome (what could not be looked at has one of its own), and with its remedy.
type Lines = BTreeMap<String, (String, String)>;

fn doctor(done: &Finished) -> Lines {
    let text = String::from_utf8_lossy(&done.out);
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let checks = json["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["outcome"] == "fail").count();
    assert_eq!(json["failed"], failed, "{text}");
    assert_eq!(done.code, Some(i32::from(failed > 0)), "{text}");
    let line = |check: &Value| {
        let text = |name: &str| check[name].as_str().unwrap().to_owned();
        let outcome = if text("seen").starts_with("unknown: ") { "unknown".to_owned() } else { text("outcome") };
        assert!(outcome != "unknown" || text("outcome") == "warn", "{check}");
        (text("check"), (outcome, text("remedy")))
    };
    checks.iter().map(line).collect()
}

/// The outcomes alone.
fn outcomes(lines: &Lines) -> BTreeMap<&str, &str> {
    lines.iter().map(|(check, (outcome, _))| (check.as_str(), outcome.as_str())).collect()
}

/// Runs `script`, which must succeed, and then doctor.
fn after(bench: &Bench, script: &str) -> Lines {
    let script = script.replace("{RELOAD}", RELOAD).replace("{FIRST}", FIRST);
    let script = format!(
        "{{ set -e; {script}\n}} >/run/podspawn-test/doctor.out 2>&1 || {{ cat /run/podspawn-test/doctor.out; exit 99; }}; exec podspawn doctor --json"
    );
    let done = bench.bash(&[], &script);
    assert_ne!(done.code, Some(99), "{script}: {done:?}");
    doctor(&done)
}

/// Runs `script` and then doctor until everything is as it was: what was started may take a moment.
#[track_caller]
fn healed(bench: &Bench, script: &str, well: &Lines) {
    let end = Instant::now() + DEADLINE;
    let mut lines = after(bench, script);
    while outcomes(&lines) != outcomes(well) {
        assert!(Instant::now() < end, "not healed by {script}: {}", difference(well, &lines).join(", "));
        std::thread::sleep(Duration::from_millis(200));
        lines = after(bench, "true");
    }
}

/// The checks that say something else.
fn difference(well: &Lines, ill: &Lines) -> Vec<String> {
    assert_eq!(well.len(), ill.len());
    let changed = ill.iter().filter(|(check, (outcome, _))| well[*check].0 != *outcome);
    changed.map(|(check, _)| check.clone()).collect()
}

#[test]
fn doctor_names_exactly_what_was_broken_and_its_remedy_heals() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, PREPARE, MEND);
    // Sessions of tests before this one end in their time.
    let end = Instant::now() + DEADLINE;
    let well = loop {
        let lines = after(&bench, "true");
        let expected = |check: &str| if KNOWN.contains(&check) { "warn" } else { "pass" };
        let odd: Vec<String> = lines
            .iter()
            .filter(|(check, (outcome, _))| !MACHINES.contains(&check.as_str()) && outcome != expected(check))
            .map(|(check, (outcome, remedy))| format!("{check} is {outcome}: {remedy}"))
            .collect();
        if odd.is_empty() {
            break lines;
        }
        assert!(Instant::now() < end, "a host that is well: {}", odd.join("; "));
        std::thread::sleep(Duration::from_millis(500));
    };
    // What is healed is looked at together with what is broken next: a run of doctor's less for each.
    let (mut heal, mut wrong) = ("true".to_owned(), Vec::new());
    for Sabotage(check, consequences, breaks, remedy) in SABOTAGES {
        let ill = after(&bench, &format!("{heal}\n{breaks}"));
        let named: BTreeSet<String> = difference(&well, &ill).into_iter().collect();
        let expected: BTreeSet<String> = std::iter::once(check).chain(*consequences).map(|one| (*one).into()).collect();
        let helpless = expected.iter().filter(|one| ill[*one].0 == "pass" || ill[*one].1.is_empty());
        let helpless: Vec<&String> = helpless.collect();
        if named != expected || !helpless.is_empty() {
            // The others are told as well.
            wrong.push(format!(
                "broken: {breaks}\n  named {named:?}\n  and not {expected:?}; no help with {helpless:?}\n  healed before: {heal}"
            ));
        }
        heal = match remedy {
            AsTold => ill[*check].1.clone(),
            AsToldBy(other) => ill[*other].1.clone(),
            By(script) => (*script).to_owned(),
        };
    }
    healed(&bench, &heal, &well);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whoever_is_not_root_is_told_what_was_not_looked_at() {
    let bench = bench::shared();
    let user = bench.user();
    let done = bench.bash(&["-u", &user.name], "podspawn doctor --json");
    let lines = doctor(&done);
    let outcome = |check: &str| lines[check].0.as_str();
    for check in ["sshd-config", "accounts-open", "key-files", "state-db", "ways-in", "backup-last", "lock-directory"] {
        assert_eq!((outcome(check), lines[check].1.as_str()), ("unknown", "sudo podspawn doctor"), "{check}");
    }
    // A tenant learns nothing of the engine or of others from the broker.
    for check in ONLY_THE_BROKER {
        assert_eq!(outcome(check), "unknown", "{check}");
    }
    assert_eq!((outcome("broker-socket"), outcome("sshd-version")), ("pass", "pass"));
}
