//! Messages about the connection between sshd and the container.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, User, UserThenAdministrator},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "The connection", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &[
            "the connection is gone",
            "cannot read signals: …",
            "cannot read the terminal's modes: …",
            "cannot prepare the terminal: …",
        ],
        "The connection broke while it was being set up.",
        User,
        "Log in again.",
    ),
    entry(
        &[
            "the container sent something unexpected",
            "the container sent something that is no terminal",
            "the container sent a terminal that was not requested",
            "cannot reach the container: …",
        ],
        "A process in the container interferes with the container's first process.",
        Administrator,
        "Run `podspawn stop USER`.",
    ),
    entry(
        &[
            "too many file descriptors are being sent on this server; try again in a moment",
            "cannot hand the terminal over: …",
        ],
        "Processes of one user id have thousands of file descriptors in flight over Unix sockets.",
        UserThenAdministrator,
        "Find them with `grep -s scm_fds: /proc/[0-9]*/fdinfo/* | sort -k2 -n | tail`, and stop their container.",
    ),
    entry(
        &["… is …; connect it by a pipe: a container gets pipes and /dev/null only"],
        "`podspawn spawn` was run without sshd, and its standard input, output or error is a file, a directory, a \
         terminal or a socket.",
        User,
        "Use a pipe: `cat FILE | podspawn spawn` in place of `podspawn spawn <FILE`.",
    ),
];
