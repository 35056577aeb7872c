//! Messages about the broker, its configuration, its state and its logs.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, UserThenAdministrator},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "The broker", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &[
            "the podspawn broker cannot be reached: …",
            "…; ask the administrator to look at `systemctl status podspawn-broker.socket`",
        ],
        "Nothing listens on `/run/podspawn/broker.sock`, or the account may not connect to it.",
        Administrator,
        "Run `systemctl start podspawn-broker.socket`. If the message says `Permission denied`, the account is not in \
         group `podspawn`: run `podspawn add-user NAME --existing`.",
    ),
    entry(
        &["the podspawn broker went away: …"],
        "The broker was started three times for this login and exited each time.",
        Administrator,
        "Read `journalctl -u podspawn-broker`. The word `oom-kill` there means that the broker had too little memory.",
    ),
    entry(
        &["the podspawn broker did not answer within … s", "…; try again, then ask the administrator"],
        "The broker runs and does not answer. systemd restarts a broker that hangs after 30 s.",
        UserThenAdministrator,
        "Log in again. If it happens again, read `journalctl -u podspawn-broker`.",
    ),
    entry(
        &[
            "the podspawn broker answered something unexpected",
            "the podspawn broker answered without a channel",
            "the broker answered …",
        ],
        "The broker and the program that sshd runs are of different versions.",
        Administrator,
        "Run `systemctl restart podspawn-broker`. Sessions continue.",
    ),
    entry(
        &["the reply of the podspawn broker is larger than … MiB"],
        "The list that the command asks for does not fit into one reply.",
        Administrator,
        "End sessions with `podspawn stop`; `podspawn status` prints their number.",
    ),
    entry(
        &["the server is starting; try again"],
        "The broker has been started and is not ready yet.",
        UserThenAdministrator,
        "Log in again. If the message stays, read `journalctl -u podspawn-broker`.",
    ),
    entry(
        &["that took too long; try again"],
        "The broker could not finish the request before its deadline.",
        UserThenAdministrator,
        "Log in again. If the message stays, read `journalctl -u podspawn-broker`.",
    ),
    entry(
        &["the server's configuration is invalid; ask the administrator to run `podspawn check-config`"],
        "The broker has been started with a configuration file that has a mistake.",
        Administrator,
        "Run `podspawn check-config`. It names file, line and column of each mistake.",
    ),
    entry(
        &["the server's state is being restored; try again later, or ask the administrator"],
        "`podspawn restore` is running or was interrupted.",
        Administrator,
        "If no restore is running, run `podspawn restore --resume`.",
    ),
    entry(
        &["the server cannot read its state; ask the administrator to look at `journalctl -u podspawn-broker`"],
        "The broker cannot open `state.db`. The file has another owner, or it is damaged.",
        Administrator,
        "Run `chown podspawn:podspawn /var/lib/podspawn/state.db*` and `chmod 0600 /var/lib/podspawn/state.db*`. If \
         the file is damaged, run `podspawn restore` with the newest backup.",
    ),
    entry(
        &["the server cannot write its state; ask the administrator to look at the disk and at \
             `journalctl -u podspawn-broker`"],
        "The broker cannot write `state.db`. The file has another owner, it is damaged, or its disk is read-only.",
        Administrator,
        "Read `journalctl -u podspawn-broker`; then correct the owner (`podspawn`, mode 0600), mount the disk for \
         writing, or run `podspawn restore`.",
    ),
    entry(
        &["the server's disk is full; ask the administrator to free some"],
        "A file system that podspawn or the engine writes to is full. The failed login leaves nothing behind.",
        Administrator,
        "Run `df -h /var/lib/podspawn {engine-data}`. `{engine-command} system prune` removes what no container uses.",
    ),
    entry(
        &["the server cannot write its audit log and refuses logins without it; ask the administrator to look at \
             `journalctl -u podspawn-broker`"],
        "`log.audit_log` is set and cannot be written. Existing connections continue; new logins are refused.",
        Administrator,
        "Correct the owner (`podspawn`) of the file and its directory, free disk space, or add `ReadWritePaths=` to \
         the unit. `log.audit_required: false` allows logins without the audit log.",
    ),
    entry(
        &["that is for root, members of podspawn-admin, and users about themselves"],
        "The command concerns other users' sessions, or the whole server.",
        Administrator,
        "Run it with `sudo`, or add the account to the groups `podspawn-admin` and `podspawn`.",
    ),
];
