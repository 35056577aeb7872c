//! Messages about the home directory, dotfiles and the environment.

use super::entry::{
    Chapter, Entry,
    FixedBy::{Administrator, NoFailure, User},
    entry,
};

pub(super) static CHAPTER: Chapter = Chapter { title: "Home, dotfiles and environment", entries: ENTRIES };

const ENTRIES: &[Entry] = &[
    entry(
        &[
            "the server cannot make your home directory; ask the administrator to look at `journalctl -u podspawn-broker`",
        ],
        "The broker cannot create the user's directory in `state.homes_dir`.",
        Administrator,
        "`homes_dir` must belong to `podspawn` with mode 0700, and the broker's unit needs `ReadWritePaths=` for it.",
    ),
    entry(
        &["your home directory belongs to user id …, which you do not have here, and another of your containers \
             uses it: stop that one, and log in here again"],
        "Two containers of the user have different user ids for the same persistent home. After an upgrade, the \
         other container may be one from before users had ids of their own.",
        User,
        "Stop the other container, then log in here again.",
    ),
    entry(
        &["your home directory is being handed over to your account in this image: log in again to go on"],
        "The files of the persistent home get the user's id in this image.",
        User,
        "Log in again.",
    ),
    entry(
        &["your home directory cannot be prepared: …"],
        "The file system of `state.homes_dir` refused an operation. The message ends with its reason.",
        Administrator,
        "Correct the file system below `homes_dir`.",
    ),
    entry(
        &["setting up your dotfiles from …"],
        "The first login in a new home clones the user's dotfiles.",
        NoFailure,
        "Wait; it takes a minute at most.",
    ),
    entry(
        &[
            "your dotfiles are not set up: …; see ~/…",
            "cannot write to the home: …",
            "… cannot be run: …",
            "… takes longer than … s",
            "the install command",
            "…, the next login tries again",
            "…, for the last time",
        ],
        "git or the install command of `dotfiles` failed, or a file of that name exists already. The login \
         continues. A clone that fails is repeated at the next logins, five times in all.",
        User,
        "Read `~/.dotfiles.log`. `rm ~/.dotfiles.pending` ends the attempts.",
    ),
    entry(
        &["not passed on, too large in all or not UTF-8: ……"],
        "The client sends more environment variables than fit (`SendEnv`, `SetEnv`). The named ones are missing in \
         the container; everything else works.",
        User,
        "Send fewer variables.",
    ),
    entry(
        &[
            "the command is longer than the … bytes that a process takes",
            "the command or its environment is too long, or has a NUL in it",
        ],
        "The kernel limits the length of a command and its environment.",
        User,
        "Send the command as a file, for instance `ssh USER@HOST sh <script`.",
    ),
    entry(
        &["an argument or a variable has a NUL in it"],
        "No process can have such an argument or variable.",
        User,
        "Remove the NUL byte.",
    ),
];
