//! `podspawn guest`: PID 1 of a container; with `--sftp` the SFTP server of one login; with a program behind `--` what
//! sets up a user's dotfiles before it; with `--examine` what looks at an image; with `--agent` what asks the SSH agent.

use crate::{
    guest::{self, Dotfiles},
    sys::stderr,
};
use std::{ffi::OsString, process::ExitCode};

/// What a shell answers for a program that it cannot run.
const NOT_RUN: u8 = 127;

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Serve SFTP on stdin and stdout instead
    #[arg(long)]
    sftp: bool,
    /// Look at the image, preferring this shell, and report to the broker instead
    #[arg(long, value_name = "SHELL")]
    examine: Option<String>,
    /// Print the keys of the SSH agent that `SSH_AUTH_SOCK` names instead
    #[arg(long)]
    agent: bool,
    /// The user id of the account that a login needs
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// The user's home is a mount that outlives the container
    #[arg(long)]
    persistent_home: bool,
    /// The repository to clone into a fresh home
    #[arg(long, value_name = "REPO")]
    dotfiles: Option<OsString>,
    /// The command to run in the clone
    #[arg(long, value_name = "COMMAND", requires = "dotfiles")]
    install: Option<OsString>,
    /// Set up the dotfiles and become this program, instead: its path, its name, its arguments
    #[arg(last = true, requires = "dotfiles")]
    program: Vec<OsString>,
}

/// Runs the guest. It prints what goes wrong at the start to standard error, which is the container's log.
#[must_use]
pub fn run(options: Options) -> ExitCode {
    let Options { sftp, examine, agent, uid, persistent_home, dotfiles, install, program } = options;
    let dotfiles = dotfiles.map(|repo| Dotfiles { repo, install });
    if let Some(dotfiles) = dotfiles.as_ref().filter(|_| !program.is_empty()) {
        let error = guest::set_up(dotfiles, &program);
        stderr::complain(format_args!("cannot run {}: {error}", program[0].display()));
        return ExitCode::from(NOT_RUN);
    }
    let result = match examine {
        _ if sftp => guest::sftp::run(),
        _ if agent => guest::agent_keys::run(),
        Some(shell) => guest::examine::run(&shell, uid),
        None => guest::run(uid, persistent_home, dotfiles),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::complain(format_args!("guest: {error}"));
            ExitCode::FAILURE
        }
    }
}
