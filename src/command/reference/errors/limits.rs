//! Messages about projects, limits and addresses.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, User, UserThenAdministrator},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "Projects and limits", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &["no project \"…\"; …", "you may use: ……", "no project is open to you"],
        "`PODSPAWN_PROJECT` names a project that projects.yaml does not have. The message lists the projects that \
         the user may enter.",
        User,
        "Use one of the listed names. An administrator can add the project to projects.yaml.",
    ),
    entry(
        &["project \"…\" is not open to …; an administrator can add … to its users in projects.yaml"],
        "The project exists, and its `users` do not include this user.",
        Administrator,
        "Add the user to `users` of the project in projects.yaml.",
    ),
    entry(
        &["… has … of at most … sessions; free one with: ssh …@HOST podspawn stop…"],
        "The user has as many sessions as `resources.max_per_user` allows.",
        UserThenAdministrator,
        "Run the command in the message, or raise `resources.max_per_user`.",
    ),
    entry(
        &["this host is at its limit of … containers; try again later, or ask an administrator to raise \
             resources.max_containers"],
        "The server has as many containers as `resources.max_containers` allows.",
        Administrator,
        "`podspawn list` shows the sessions and `podspawn stop` ends one. Raise `resources.max_containers` if the \
         memory suffices.",
    ),
    entry(
        &["the server has no network left for another container; ask the administrator to stop sessions or to \
             enlarge network.pool"],
        "Every subnet of `network.pool` is in use. The default pool has 4096.",
        Administrator,
        "Stop sessions, or configure a larger `network.pool`.",
    ),
    entry(
        &["network.pool … overlaps this server's route to …; ask the administrator to choose another network.pool"],
        "The server already reaches another network at these addresses.",
        Administrator,
        "Configure a `network.pool` that no route of the server overlaps.",
    ),
    entry(
        &["the server has no user id left in security.uid_range …; ask the administrator to enlarge it"],
        "Every user id of the range belongs to a user. Ids of users whose accounts have been removed are used again.",
        Administrator,
        "Enlarge `security.uid_range`.",
    ),
    entry(
        &["the server's account database does not answer; try again, then ask the administrator"],
        "A new user needs a user id that no account of the server has, and the accounts cannot be read.",
        UserThenAdministrator,
        "Run `systemctl status systemd-userdbd sssd`, whichever the server uses.",
    ),
    entry(
        &["you are …, and can enter your own containers only"],
        "`podspawn spawn --user` names another user.",
        User,
        "Omit `--user`.",
    ),
    entry(
        &["you have no container of your own; name the user: podspawn stop USER[@PROJECT]", "… has no running session"],
        "`podspawn stop` has found no session to end.",
        User,
        "Run `podspawn list` and name one of its sessions.",
    ),
    entry(
        &[
            "… is no command of podspawn for users",
            "podspawn … does not take …",
            "podspawn needs a command",
            "the command is longer than … bytes",
            "… is not allowed here: write words between blanks",
            "…; `podspawn help` lists the commands",
        ],
        "A command whose first word is `podspawn` is answered by the server, and this one does not exist.",
        User,
        "Run `ssh USER@HOST podspawn help`.",
    ),
];
