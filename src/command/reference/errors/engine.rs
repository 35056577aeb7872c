//! Messages about the container engine and images.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, UserThenAdministrator},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "The container engine", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &["the container engine does not answer; try again in a moment, then ask the administrator"],
        "The broker cannot reach the engine's socket.",
        UserThenAdministrator,
        "Run `systemctl status {engine-unit}` and `systemctl start {engine-unit}`. If {engine} runs, check its socket: \
         `ls -la {engine-socket}` shows owner `root`, group `{engine-group}`, mode 0660.",
    ),
    entry(
        &["the container engine refused to make your container: …; ask the administrator"],
        "The engine does not accept a setting of the container. The message has the engine's reason.",
        Administrator,
        "Correct the runtime, the seccomp profile or the capability in `security` of config.yaml.",
    ),
    entry(
        &["the container engine failed to make your container; ask the administrator to look at \
             `journalctl -u podspawn-broker`"],
        "The engine reported an error of its own.",
        Administrator,
        "Read `journalctl -u podspawn-broker` and `journalctl -u {engine-unit}`.",
    ),
    entry(
        &[
            "image … cannot be pulled: …",
            "image … is not on this server and cannot be pulled: …",
            "image … is not on this server and cannot be pulled",
            "image … is not on this server",
        ],
        "The image of the user, the project or the server is missing, and the registry does not deliver it. An image \
         is pulled at the first login that needs it. The message ends with the registry's reason.",
        Administrator,
        "Run `{engine-command} pull IMAGE` on the server, or correct `image` in config.yaml, projects.yaml or the user's file.",
    ),
    entry(
        &["your last container cannot be removed; ask the administrator to look at `journalctl -u podspawn-broker`"],
        "The previous container of the user is still being removed, and the engine fails to remove it. podspawn \
         repeats the removal.",
        Administrator,
        "Run `{engine-command} rm -f` with the name in the journal, and read the engine's reason.",
    ),
];
