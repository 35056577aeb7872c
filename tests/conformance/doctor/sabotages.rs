//! What is broken on a host that is well, one after the other, and how it is healed.

use crate::bench;

/// What is unknown or broken while the broker is stopped, its socket first.
const WITHOUT_BROKER: &[&str] = &[
    "broker-socket",
    "broker-version",
    "config",
    "engine",
    "engine-isolation",
    "engine-runtime",
    "engine-limits",
    "guest-channel",
    "user-ids",
    "images",
    "orphans",
    "network-pool",
    "homes",
    "log-file",
    "audit-log",
];

/// What only the broker knows, and is unknown without it.
pub(super) const ONLY_THE_BROKER: &[&str] = WITHOUT_BROKER.split_at(1).1;

/// How a sabotage is undone.
pub(super) enum Heal {
    /// By what doctor says, word for word.
    Remedy,
    /// As doctor says at another check, of which this one is a consequence.
    RemedyOf(&'static str),
    /// What doctor says leaves something to its reader.
    By(&'static str),
}
use Heal::{By, Remedy, RemedyOf};

/// What is broken: the check that has to name it, the others that follow from it, how, and how it is healed.
pub(super) struct Sabotage(
    pub(super) &'static str,
    pub(super) &'static [&'static str],
    pub(super) &'static str,
    pub(super) Heal,
);

pub(super) const RELOAD: &str = "sshd -t && systemctl reload ssh && sleep 0.1";
pub(super) const FIRST: &str = "/etc/ssh/sshd_config.d/05-doctor.conf";

/// What is broken on any host.
pub(super) const SABOTAGES: &[Sabotage] = &[
    Sabotage(
        "sshd-version",
        &[],
        "printf '#!/bin/sh\n[ \"$1\" != -V ] || { echo OpenSSH_8.4p1 >&2; exit 0; }\nexec /usr/sbin/sshd \"$@\"\n' >/usr/local/sbin/sshd
         chmod 0755 /usr/local/sbin/sshd",
        By("rm /usr/local/sbin/sshd"),
    ),
    // Debian's sshd says nothing to root while its service does not run, and doctor knows all the same.
    Sabotage("sshd-running", &[], "systemctl stop ssh", Remedy),
    Sabotage(
        "key-lookup",
        &["key-files", "directories"],
        "chown root:root /etc/podspawn/keys",
        RemedyOf("directories"),
    ),
    Sabotage("key-files", &[], "echo 'no key at all' >>/etc/podspawn/keys/alice", By("sed -i '$d' /etc/podspawn/keys/alice")),
    Sabotage("accounts-open", &[], "usermod --expiredate 1 alice", Remedy),
    Sabotage(
        "account-shells",
        &["accounts-confined", "key-files"],
        "usermod --shell /usr/sbin/nologin alice",
        Remedy,
    ),
    Sabotage("accounts-confined", &["key-files"], "usermod --home /home/alice alice", Remedy),
    Sabotage("accounts-confined", &[], "echo 'alice:secret' | chpasswd", Remedy),
    Sabotage("accounts-confined", &[], "loginctl enable-linger alice", Remedy),
    Sabotage("accounts-confined", &[], "setsid runuser -u alice sleep 600 >/dev/null 2>&1 </dev/null & sleep 0.5", Remedy),
    Sabotage("engine-access", &[], "gpasswd --add alice docker", Remedy),
    Sabotage("engine-access", &[], "chmod 0666 /var/run/docker.sock", Remedy),
    Sabotage("directories", &[], "chmod 0777 /var/lib/podspawn", Remedy),
    Sabotage("config", &[], "echo 'nosuch: 1' >/etc/podspawn/users/zoe.yaml", By("rm /etc/podspawn/users/zoe.yaml")),
    Sabotage("config", &[], "echo 'env: {TOKEN: x}' >/etc/podspawn/users/alice.yaml", Remedy),
    Sabotage("broker-socket", &[], "chmod 0666 /run/podspawn/broker.sock", Remedy),
    Sabotage(
        "images",
        &[],
        "echo 'image: \"nosuch:1\"' >/etc/podspawn/users/alice.yaml",
        By("rm /etc/podspawn/users/alice.yaml"),
    ),
    Sabotage(
        "orphans",
        &[],
        "install -d -o podspawn /run/podspawn/guests/00000000deadbeed
docker create --name podspawn-doctor-orphan --label managed-by=podspawn --label podspawn.session=00000000deadbeed \
    --network podspawn-00000000deadbeed \
    --mount type=bind,source=/run/podspawn/guests/00000000deadbeed,target=/.podspawn/run,readonly \
    podspawn-workload:latest true",
        Remedy,
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
    // A broker that starts mends it.
    Sabotage("state-db", &[], "podspawn status >/dev/null && chmod 0644 /var/lib/podspawn/state.db", Remedy),
    Sabotage(
        "homes",
        &[],
        "mount -t tmpfs -o ro,size=6g,mode=0700,uid=podspawn,gid=podspawn tmpfs /var/lib/podspawn/homes",
        By("umount /var/lib/podspawn/homes"),
    ),
    Sabotage("lock-directory", &[], "mkdir /var/lib/podspawn/locks", Remedy),
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
    Sabotage("cleanup-timer", &[], "systemctl stop podspawn-cleanup.timer", Remedy),
    Sabotage(
        "cleanup-last",
        &[],
        "mkdir -p /run/systemd/system/podspawn-cleanup.service.d
         printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >/run/systemd/system/podspawn-cleanup.service.d/fail.conf
         systemctl daemon-reload; ! systemctl start podspawn-cleanup.service 2>/dev/null",
        By("rm -r /run/systemd/system/podspawn-cleanup.service.d; systemctl daemon-reload; systemctl start podspawn-cleanup.service"),
    ),
    Sabotage("backup-last", &[], "rm -r /var/backups/podspawn/2*", Remedy),
    Sabotage("metrics", &[], "systemctl stop podspawn-metrics.socket", Remedy),
    Sabotage(
        "metrics",
        &[],
        "mkdir -p /run/systemd/system/podspawn-metrics.service.d
         printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >/run/systemd/system/podspawn-metrics.service.d/fail.conf
         systemctl daemon-reload; ! systemctl restart podspawn-metrics.service 2>/dev/null",
        By("rm -r /run/systemd/system/podspawn-metrics.service.d; systemctl daemon-reload; systemctl restart podspawn-metrics.service"),
    ),
    Sabotage(
        "ways-in",
        &[],
        "rm /root/.ssh/authorized_keys",
        By("install -m 0600 /etc/podspawn/keys/alice /root/.ssh/authorized_keys"),
    ),
    Sabotage(
        "broker",
        WITHOUT_BROKER,
        bench::STOP_BROKER,
        RemedyOf("broker-socket"),
    ),
    Sabotage(
        "engine",
        &["engine-isolation", "engine-runtime", "engine-limits", "images", "orphans"],
        "systemctl stop docker.socket docker.service",
        Remedy,
    ),
];

/// What is broken by changing files that are the host's own: where NixOS declares them, they cannot be changed. `{RELOAD}` and
/// `{FIRST}` in a script stand for those above.
pub(super) const OF_FILES: &[Sabotage] = &[
    Sabotage(
        "sshd-config",
        &[],
        "sed -i 's/AllowTcpForwarding no/AllowTcpForwarding yes/' /etc/ssh/sshd_config.d/00-podspawn.conf; {RELOAD}",
        By("rm /etc/ssh/sshd_config.d/00-podspawn.conf; podspawn server-setup; sleep 0.1"),
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
    Sabotage("sshd-reload", &[], "sleep 0.1; touch /etc/ssh/sshd_config.d/00-podspawn.conf", Remedy),
    Sabotage("sshd-binary", &[], "chmod 0775 /usr/bin/podspawn", By("chmod 0755 /usr/bin/podspawn")),
    Sabotage(
        "broker-version",
        &[],
        "cp -p /usr/bin/podspawn /usr/bin/podspawn.new && mv /usr/bin/podspawn.new /usr/bin/podspawn",
        Remedy,
    ),
    Sabotage("accounts", &["directories"], "groupdel podspawn-admin", Remedy),
    Sabotage("broker-socket", &[], "systemctl --quiet disable podspawn-broker.socket", Remedy),
    Sabotage("units", &[], "touch /usr/lib/systemd/system/podspawn-backup.timer", Remedy),
    Sabotage(
        "logrotate",
        &[],
        "mv /etc/logrotate.d/podspawn /run/podspawn-test/doctor/logrotate",
        By("mv /run/podspawn-test/doctor/logrotate /etc/logrotate.d/podspawn"),
    ),
    Sabotage("backup-timer", &[], "systemctl --quiet disable podspawn-backup.timer", Remedy),
    // Not the kernel's own, which it has once for all hosts of this machine.
    Sabotage(
        "kernel-limits",
        &[],
        "grep -q ' /proc/sys/kernel/pty/max ' /proc/mounts; echo 4096 >/proc/sys/kernel/pty/max",
        Remedy,
    ),
    Sabotage(
        "immutable",
        &[],
        "mount --bind /etc/ssh /etc/ssh && mount -o remount,bind,ro /etc/ssh",
        By("umount /etc/ssh"),
    ),
    Sabotage(
        "engine-runtime",
        &[],
        "sed -i '$asecurity: { runtime: nosuch }' /etc/podspawn/config.yaml",
        By("sed -i '$d' /etc/podspawn/config.yaml"),
    ),
    // Ids that useradd gives to accounts.
    Sabotage(
        "user-ids",
        &[],
        "sed -i '$asecurity: { uid_range: 1000-2000 }' /etc/podspawn/config.yaml",
        By("sed -i '$d' /etc/podspawn/config.yaml"),
    ),
];
