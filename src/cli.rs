//! The command line.

use crate::command::{broker, guest, spawn};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// ssh user@host lands in the user's own container
#[derive(Debug, Parser)]
#[command(name = "podspawn", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Enter your container (sshd runs this for every podspawn user)
    Spawn(spawn::Options),
    /// Serve the broker's socket (systemd runs this)
    #[command(hide = true)]
    Broker(broker::Options),
    /// Be the first process of a container (the engine runs this)
    #[command(hide = true)]
    Guest {
        /// Serve SFTP on stdin and stdout instead
        #[arg(long)]
        sftp: bool,
    },
}

/// Parses the arguments and runs the verb.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Spawn(options) => spawn::run(options),
        Verb::Guest { sftp } => guest::run(sftp),
        Verb::Broker(options) => report(broker::run(&options)),
    }
}

/// The one place where an error is printed, with its causes, on one line.
fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podspawn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
