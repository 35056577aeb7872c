//! `podspawn guest`: PID 1 of a container; with `--sftp` the SFTP server of one login; with a program behind `--` what
//! sets up a user's dotfiles before it.

use crate::guest::{self, Dotfiles};
use std::{ffi::OsString, process::ExitCode};

/// What a shell answers for a program that it cannot run.
const NOT_RUN: u8 = 127;

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Serve SFTP on stdin and stdout instead
    #[arg(long)]
    sftp: bool,
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
    let Options { sftp, persistent_home, dotfiles, install, program } = options;
    let dotfiles = dotfiles.map(|repo| Dotfiles { repo, install });
    if let Some(dotfiles) = dotfiles.as_ref().filter(|_| !program.is_empty()) {
        let error = guest::set_up(dotfiles, &program);
        eprintln!("podspawn: cannot run {}: {error}", program[0].display());
        return ExitCode::from(NOT_RUN);
    }
    let result = if sftp { guest::sftp::run() } else { guest::run(persistent_home, dotfiles) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podspawn: guest: {error}");
            ExitCode::FAILURE
        }
    }
}
