//! `podspawn guest`: PID 1 of a container; with `--sftp` the SFTP server of one login.

use std::process::ExitCode;

/// Runs the guest. It prints what goes wrong at the start to standard error, which is the container's log.
#[must_use]
pub fn run(sftp: bool, persistent_home: bool) -> ExitCode {
    let result = if sftp { crate::guest::sftp::run() } else { crate::guest::run(persistent_home) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podspawn: guest: {error}");
            ExitCode::FAILURE
        }
    }
}
