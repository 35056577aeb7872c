//! `doctor` on a healthy host, and on one that is broken in one place after the other: each time it names that place and
//! no other, and its remedy heals.

mod alone;
mod sabotages;

use crate::{
    bench::{self, Bench, DEADLINE, Disturbance},
    client::Finished,
};
use sabotages::{
    FIRST,
    Heal::{By, Remedy, RemedyOf},
    OF_FILES, ONLY_THE_BROKER, RELOAD, SABOTAGES, Sabotage,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Functions for hosts whose files NixOS declares and for others: on NixOS, units are enabled and accounts are made by
/// its configuration.
const KINDS: &str = r"
declared() { [ -L /etc/ssh/sshd_config ]; }
directories() { systemd-tmpfiles --create $(! declared || echo 10-)podspawn.conf; }
enable() { systemctl --quiet start $*; declared || systemctl --quiet enable $*; }
disable() { declared || systemctl --quiet disable --now $*; }
# The machine's own, which other hosts have too: a file is put in the place of each, here and nowhere else.
budgets() {
    echo 'kernel.pty.max 65536
kernel.pid_max 4194304
kernel.threads-max 1000000
fs.aio-max-nr 1073741824
fs.inotify.max_user_instances 1024
net.ipv4.neigh.default.gc_thresh2 8192
net.ipv4.neigh.default.gc_thresh3 16384'
}
";

/// A host that is well: timers, a backup, a way in for root, and of the configuration only what is the bench's own.
const PREPARE: &str = r"
mkdir -p /run/podspawn-test && cd /run/podspawn-test && rm -rf doctor && mkdir doctor
cp -a /etc/ssh /etc/podspawn doctor/
find /etc/podspawn/users -name '*.yaml' -delete
printf '{}\n' >/etc/podspawn/new && mv /etc/podspawn/new /etc/podspawn/projects.yaml
install -d -m 0700 /root/.ssh
install -m 0600 /etc/podspawn/keys/alice /root/.ssh/authorized_keys
directories
enable podspawn-broker.socket podspawn-cleanup.timer podspawn-backup.timer podspawn-metrics.socket
systemctl reload ssh
systemctl start podspawn-cleanup.service podspawn-backup.service
podspawn cleanup
mkdir doctor/sys
budgets | while read -r key value; do
    file=/proc/sys/${key//.//}
    [ ! -e $file ] || { echo $value >doctor/sys/$key && mount --bind doctor/sys/$key $file; }
done
";

/// Whatever is left of a sabotage that was not healed, and of [`PREPARE`].
const MEND: &str = r"
cd /run/podspawn-test
umount /var/lib/podspawn/homes /etc/ssh 2>/dev/null
budgets | while read -r key value; do umount /proc/sys/${key//.//} 2>/dev/null; done
rm -f /etc/sysctl.d/90-podspawn.conf
rm -f /usr/local/sbin/sshd /usr/bin/podspawn.new
chmod 0755 /usr/bin/podspawn
[ ! -d doctor/podspawn ] || { rm -rf /etc/podspawn && mv doctor/podspawn /etc/podspawn; }
[ ! -d doctor/ssh ] || { rm -rf /etc/ssh && mv doctor/ssh /etc/ssh; }
[ ! -f doctor/logrotate ] || mv doctor/logrotate /etc/logrotate.d/podspawn
for log in podspawn.log audit.jsonl; do
    rmdir /var/log/podspawn/$log 2>/dev/null
    [ ! -f doctor/$log ] || mv doctor/$log /var/log/podspawn/
done
rm -rf /root/.ssh/authorized_keys /run/systemd/system/podspawn-{cleanup,metrics}.service.d /var/lib/podspawn/locks
usermod --shell /bin/sh --home /var/empty --password '*' --expiredate '' alice
rm -f /var/lib/podspawn-accounts/alice
loginctl disable-linger alice
pkill -u alice -x sleep
gpasswd --delete alice docker >/dev/null 2>&1
ip route del 10.0.0.0/8 dev lo 2>/dev/null
docker rm --force podspawn-doctor-orphan >/dev/null 2>&1
systemctl daemon-reload
systemctl start docker
declared || systemd-sysusers podspawn.conf
directories
disable podspawn-cleanup.timer podspawn-backup.timer
enable podspawn-broker.socket podspawn-metrics.socket
systemctl try-restart podspawn-broker.service
systemctl reload-or-restart ssh && sleep 0.2
ssh-keyscan -T 5 127.0.0.1 >/dev/null 2>&1
";

/// Checks whose outcome depends on the machine that the bench runs on.
const MACHINES: [&str; 4] = ["clock", "disk", "engine-isolation", "engine-runtime"];

/// Checks that warn on every bench: the journal is in memory, and 480 users could start more than any machine holds.
const KNOWN: [&str; 2] = ["journal", "memory"];

/// How long it may take until a sabotage shows, and a healed one does not.
const SETTLED: Duration = Duration::from_secs(10);

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

/// Runs `script` and then doctor, until what it says is so or `patience` is over: what was started or stopped may take a
/// moment.
fn settled(bench: &Bench, script: &str, patience: Duration, is_so: impl Fn(&Lines) -> bool) -> Lines {
    let end = Instant::now() + patience;
    let mut lines = after(bench, script);
    while !is_so(&lines) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
        lines = after(bench, "true");
    }
    lines
}

/// The checks that have another outcome than on a healthy host.
fn odd(lines: &Lines) -> Vec<String> {
    let expected = |check: &str| if KNOWN.contains(&check) { "warn" } else { "pass" };
    lines
        .iter()
        .filter(|(check, (outcome, _))| !MACHINES.contains(&check.as_str()) && outcome != expected(check))
        .map(|(check, (outcome, remedy))| format!("{check} is {outcome}: {remedy}"))
        .collect()
}

/// The checks whose outcomes differ.
fn difference(well: &Lines, ill: &Lines) -> BTreeSet<String> {
    assert_eq!(well.len(), ill.len());
    let changed = ill.iter().filter(|(check, (outcome, _))| well[*check].0 != *outcome);
    changed.map(|(check, _)| check.clone()).collect()
}

#[test]
fn every_check_is_sabotaged_or_depends_on_the_machine() {
    let sabotaged = SABOTAGES
        .iter()
        .chain(OF_FILES)
        .flat_map(|Sabotage(check, others, ..)| std::iter::once(*check).chain(others.iter().copied()));
    let covered: BTreeSet<&str> = sabotaged.chain(MACHINES).chain(KNOWN).collect();
    let missing = podspawn::doctor::CHECKS.iter().map(|check| check.name).filter(|name| !covered.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_user_without_root_sees_which_checks_were_not_made() {
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
