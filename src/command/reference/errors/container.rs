//! Messages about the container: its end, its processes, its terminals and its image.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, NoFailure, User, UserThenAdministrator},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "The container", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &["killed: out of memory"],
        "The container's first process was killed because the container needed more than `memory`.",
        UserThenAdministrator,
        "Log in again for a new container, and use less memory or raise `memory`.",
    )
    .after("your container was "),
    entry(
        &[
            "your container was stopped by the engine",
            "killed by the engine",
            "killed by signal …",
            "removed outside of podspawn",
            "restarted outside of podspawn",
            "your container was …",
        ],
        "An administrator or the engine ended the container outside of podspawn, for instance at a restart of the \
         engine.",
        User,
        "Log in again for a new container.",
    )
    .after("your container was "),
    entry(
        &["ended with exit code …"],
        "The container's first process ended by itself.",
        User,
        "Log in again for a new container.",
    )
    .after("your container "),
    entry(
        &["this container is being removed: …", "your container was removed: …", "its … of … is over", "time to live"],
        "podspawn removes the container and gives the reason: a `podspawn stop`, or the end of `max_lifetime` or \
         `ttl`.",
        User,
        "Log in again for a new container. `mode: named` keeps a container until it is stopped.",
    ),
    entry(
        &["this container reaches its lifetime in … minute…"],
        "`max_lifetime` or `ttl` ends soon. The message appears 10, 5 and 1 minutes before.",
        NoFailure,
        "Save your work outside of the container.",
    ),
    entry(
        &["the container is gone: it was stopped, removed or ran out of memory"],
        "The container has ended, and the broker did not run to give the reason.",
        User,
        "Log in again for a new container. `journalctl -u podspawn-broker` has the reason.",
    ),
    entry(
        &["this container is being stopped"],
        "The container is ending and takes no new connection.",
        User,
        "Log in again.",
    ),
    entry(
        &["nothing was sent or received for …; the connection is closed"],
        "The session was idle for `idle_timeout`.",
        NoFailure,
        "Log in again. An administrator can change `idle_timeout` for the server or a project.",
    ),
    entry(
        &["your container runs but does not answer; ask the administrator to stop it"],
        "The container's first process was stopped or replaced.",
        Administrator,
        "Run `podspawn stop USER`. The next login gets a new container.",
    ),
    entry(
        &["your container does not take new connections just now; try again, then ask the administrator"],
        "The container is overloaded.",
        UserThenAdministrator,
        "Log in again later. `{engine-command} stats` shows the load; `podspawn stop USER` ends the session.",
    ),
    entry(
        &["this container has too many connections"],
        "The container has as many connections as it can have at once.",
        User,
        "Close a connection and log in again.",
    ),
    entry(
        &["cannot make a process: …", "cannot allocate a terminal: …"],
        "The container has reached `security.pids_limit` or its memory.",
        UserThenAdministrator,
        "End processes in the container, or raise `security.pids_limit` or `memory`.",
    ),
    entry(
        &["this container has as many terminals as it may have at once; close some: `ls /dev/pts` lists them"],
        "A container has at most 256 terminals. A program in it opens terminals and does not close them.",
        User,
        "Close terminals or end that program.",
    ),
    entry(
        &[
            "no terminal is left on the server; ask the administrator to raise kernel.pty.max, as `podspawn doctor` says",
        ],
        "All terminals of the host are in use. sshd's own message for it is `PTY allocation request failed on \
         channel 0`.",
        Administrator,
        "Compare `sysctl kernel.pty.nr` with `sysctl kernel.pty.max`, and raise the latter. `{engine-command} exec CONTAINER \
         ls /dev/pts` shows which container has many.",
    ),
    entry(
        &["this image has no shell; give a command to run it directly", "this image has no shell, and no program …"],
        "The image has none of `bash`, `sh`, `ash` and `busybox`.",
        UserThenAdministrator,
        "Run a program of the image by its path, or choose an image with a shell.",
    ),
    entry(
        &["this image has no shell …, which is configured; … runs instead"],
        "`shell` of the user, the project or `defaults` names a program that the image does not have.",
        Administrator,
        "Correct `shell`, or install the shell in the image. `podspawn verify-image IMAGE` reports it.",
    ),
    entry(
        &["this container has no /dev/null: …"],
        "The image has something else at `/dev/null`, or a process in the container replaced it.",
        Administrator,
        "Run `podspawn stop USER`; if it happens again, correct the image.",
    ),
    entry(
        &["cannot read the accounts of this container: …", "this container has no user id left between … and …"],
        "`/etc/passwd` or `/etc/group` of the image cannot be used.",
        Administrator,
        "Correct these files in the image.",
    ),
    entry(
        &[
            "take the groups of the user (does the container have CAP_SETGID?)",
            "become the user (does the container have CAP_SETUID?)",
        ],
        "The container lacks a capability that a login needs.",
        Administrator,
        "Add `SETUID` and `SETGID` to `security.cap_add`. The default has both.",
    )
    .after("cannot "),
    entry(
        &[
            "start a session of its own",
            "make the terminal the controlling one",
            "give the process its standard streams",
            "limit its open files",
        ],
        "The kernel refused a step of starting a process. The message ends with the kernel's reason.",
        Administrator,
        "Check `security.seccomp_profile`.",
    )
    .after("cannot "),
];
