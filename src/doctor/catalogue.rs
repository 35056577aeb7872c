//! Every check, in the order in which they are told: what a login meets first comes first.

/// One check, as the manual has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Its name, which stays the same from version to version.
    pub name: &'static str,
    /// What it looks whether.
    pub about: &'static str,
    /// What to do if it does not pass, in general; the line says it for the case.
    pub remedy: &'static str,
}

const fn check(name: &'static str, about: &'static str, remedy: &'static str) -> Check {
    Check { name, about, remedy }
}

/// All of them.
pub const CHECKS: &[Check] = &[
    check("sshd-version", "sshd is OpenSSH 8.8 or later", "upgrade the distribution's OpenSSH"),
    check(
        "sshd-config",
        "sshd accepts its files, reads podspawn's block before other `Match` blocks, and has its options for each of twelve users",
        "`podspawn server-setup`; `sshd -t` names a line that it does not accept",
    ),
    check(
        "sshd-users",
        "AllowUsers, DenyGroups and the like, MaxSessions and others let users in with keys",
        "change the option that is named",
    ),
    check("sshd-startups", "MaxStartups is enough for as many logins at once as may come", "raise `MaxStartups`"),
    check("sshd-running", "an sshd, or its socket, answers where it should", "start the unit that is named"),
    check(
        "sshd-reload",
        "sshd has read its files since they were changed",
        "`systemctl reload ssh`; `restart` where `ssh.socket` started it",
    ),
    check(
        "sshd-binary",
        "the programs that sshd names are there, root's, and nobody else's to change",
        "`chown root:root` and `chmod 0755` what is named",
    ),
    check(
        "key-lookup",
        "sshd's question for keys works, asked by its own command as its own user",
        "run the command that is named",
    ),
    check(
        "key-files",
        "users have keys, and every line of their files is one",
        "`podspawn add-user NAME --key-file FILE`",
    ),
    check("accounts", "podspawn's groups and service accounts are there", "`systemd-sysusers podspawn.conf`"),
    check("accounts-open", "users' accounts are neither expired nor, without PAM, locked", "`usermod`, as it is named"),
    check(
        "account-shells",
        "users' login shells run a command, as sshd needs it; each is tried",
        "`usermod --shell /bin/sh NAME`",
    ),
    check(
        "accounts-confined",
        "nothing of a user can run on the host but podspawn's command: shell, home, password, user manager, jobs",
        "`podspawn add-user NAME --existing`",
    ),
    check(
        "engine-access",
        "no user reaches the engine, which is root: not by a group, not by an open socket",
        "`gpasswd --delete NAME docker`",
    ),
    check(
        "directories",
        "podspawn's directories have the owners and modes they should",
        "`systemd-tmpfiles --create podspawn.conf`",
    ),
    check(
        "config",
        "every file under `/etc/podspawn` is valid, and the broker goes by them",
        "`podspawn check-config`",
    ),
    check(
        "broker-socket",
        "systemd listens at the broker's socket, with the right owner and mode",
        "`systemctl enable --now podspawn-broker.socket`",
    ),
    check("units", "systemd has read podspawn's units since they were changed", "`systemctl daemon-reload`"),
    check("broker", "the broker answers", "`journalctl -u podspawn-broker`"),
    check("broker-version", "the broker is the program that sshd runs", "`systemctl restart podspawn-broker`"),
    check("engine", "the engine answers the broker, and is Docker 20.10 or later", "`systemctl start docker`"),
    check("engine-isolation", "containers have seccomp, and AppArmor or SELinux", "mend `/etc/docker/daemon.json`"),
    check("engine-runtime", "the OCI runtime is there, and runc's version has no known hole", "upgrade runc"),
    check("engine-limits", "limits of memory, processes and processors are enforced", "boot with cgroup v2"),
    check(
        "guest-channel",
        "containers answer through the host's socket, which sandboxes may not carry into them",
        "`podspawn stop NAME`; for gVisor `--host-uds=open`",
    ),
    check(
        "user-ids",
        "each user has a user id of its own inside containers, which no account of the host has",
        "`podspawn stop NAME`; `security.uid_range`",
    ),
    check("images", "the images of everybody, users and projects are on this server", "`docker pull IMAGE`"),
    check("orphans", "no container, network or session is left of a crash", "`podspawn cleanup`"),
    check(
        "network-pool",
        "`network.pool` has subnets left, and no route of the host goes into it",
        "another `network.pool`",
    ),
    check(
        "disk",
        "5 GiB are left for engine, state, homes, backups and logs (under 1 GiB is a failure)",
        "`docker system prune`",
    ),
    check("inodes", "there is room for more files on each of them", "`du --inodes`"),
    check(
        "memory",
        "all containers that users may start fit into memory",
        "`resources.max_containers`, `defaults.memory`",
    ),
    check(
        "kernel-limits",
        "what the kernel has once for all containers (terminals, asynchronous I/O and others) is enough",
        "`/usr/lib/sysctl.d/50-podspawn.conf`, or the line that is named",
    ),
    check("state-db", "`state.db` is whole, podspawn's and nobody else's; a copy is read", "`podspawn restore`"),
    check("homes", "the broker can write to `homes_dir`", "`systemctl edit podspawn-broker`, `ReadWritePaths=`"),
    check(
        "lock-directory",
        "there is none: nothing of podspawn's locks by files, and nothing needs to be writable",
        "`rm -r` it",
    ),
    check("log-file", "the broker writes `log.file`, if there is one", "mend its owner or `ReadWritePaths=`"),
    check("audit-log", "the broker writes `log.audit_log`, if there is one", "mend its owner or `ReadWritePaths=`"),
    check("journal", "the journal outlives a boot", "`Storage=persistent` in journald.conf"),
    check("logrotate", "something cuts the configured logs", "install `/etc/logrotate.d/podspawn`"),
    check("cleanup-timer", "the timer of cleanup passes runs", "`systemctl enable --now podspawn-cleanup.timer`"),
    check("cleanup-last", "the last pass was good, and not long ago", "`journalctl -u podspawn-cleanup`"),
    check("backup-timer", "the timer of backups runs", "`systemctl enable --now podspawn-backup.timer`"),
    check("backup-last", "there is a backup of the last two days", "`systemctl start podspawn-backup`"),
    check(
        "metrics",
        "what is measured is told and written, if its units are enabled",
        "`systemctl restart podspawn-metrics.socket`",
    ),
    check(
        "ways-in",
        "somebody could administer this host over ssh without podspawn",
        "a key in `/etc/podspawn/emergency.keys`",
    ),
    check("clock", "something keeps the clock right, and it was not set back", "`timedatectl set-ntp true`"),
    check(
        "immutable",
        "files are there to be changed; what NixOS makes is noted",
        "remount, or change NixOS's configuration",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn the_manual_has_the_line_of_every_check_and_no_other() {
        let line = |check: &Check| format!("| `{}` | {} | {} |", check.name, check.about, check.remedy);
        let expected: Vec<String> = CHECKS.iter().map(line).collect();
        // Read when it is run, so that the tests can be built where only the sources are.
        let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
        let (_, table) = manual.split_once("| check | looks whether | if not |\n|---|---|---|\n").unwrap_or_default();
        let found: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
        assert!(found == expected, "the table of checks should be:\n{}", expected.join("\n"));
    }
}
