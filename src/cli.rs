//! The command line.

use crate::{
    command::{
        add_user, auth_keys, backup, broker, check_config, cleanup, completions, doctor, guest, list, list_users, man,
        metrics, reference, remove_user, restore, server_setup, spawn, status, stop, verify_image,
    },
    domain::chain,
    sys::stderr,
};
use clap::{CommandFactory as _, Parser, Subcommand};
use std::{ffi::OsString, path::PathBuf, process::ExitCode};

/// ssh user@host lands in the user's own container
#[derive(Debug, Parser)]
#[command(name = "podspawn", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print a user's `authorized_keys` lines (sshd runs this at every login)
    #[command(after_help = "Examples:\n  sudo -u podspawn-keys podspawn auth-keys alice")]
    AuthKeys {
        /// The user who logs in
        #[arg(allow_hyphen_values = true)]
        user: OsString,
        /// Type and text of the offered key; all keys of the user are printed in any case
        #[arg(num_args = 0..=2, value_names = ["TYPE", "KEY"], allow_hyphen_values = true)]
        key: Vec<OsString>,
        /// The directory of the key files [default: `auth.key_dir` of config.yaml]
        #[arg(long, value_name = "DIR")]
        key_dir: Option<PathBuf>,
    },
    /// Check one or all configuration files, and print the place of each mistake
    #[command(after_help = "Examples:\n  podspawn check-config\n  podspawn check-config /tmp/new/config.yaml")]
    CheckConfig {
        /// A file, or the directory of all files [default: /etc/podspawn]
        path: Option<PathBuf>,
    },
    /// Create accounts and directories, and add podspawn to sshd's configuration
    ServerSetup(server_setup::Options),
    /// Create a user: an account and public keys
    AddUser(add_user::Options),
    /// Remove a user's keys, settings and account
    RemoveUser(remove_user::Options),
    /// List users
    ListUsers(list_users::Options),
    /// List sessions: all for root, your own otherwise
    List(list::Options),
    /// Check this server, and print the remedy for each fault
    Doctor(doctor::Options),
    /// Print the number of sessions, connections and containers
    Status(status::Options),
    /// End a session: notify and disconnect its users, then remove the container
    Stop(stop::Options),
    /// Remove expired and orphaned sessions
    Cleanup(cleanup::Options),
    /// Check whether an image has the programs that users need
    VerifyImage(verify_image::Options),
    /// Copy state, keys and configuration into a new backup
    Backup(backup::Options),
    /// Restore a backup: all of it or nothing
    Restore(restore::Options),
    /// Enter your container (sshd runs this at every login)
    Spawn(spawn::Options),
    /// Serve the broker's socket (systemd runs this)
    #[command(hide = true)]
    Broker(broker::Options),
    /// Serve metrics over HTTP (systemd runs this)
    #[command(hide = true)]
    Metrics(metrics::Options),
    /// Run as the first process of a container (the engine runs this)
    #[command(hide = true)]
    Guest(guest::Options),
    /// Print the completions for a shell (for packagers)
    #[command(hide = true)]
    Completions(completions::Options),
    /// Write the manual pages into a directory (for packagers)
    #[command(hide = true)]
    Man(man::Options),
    /// Print a generated page of the documentation (for developers)
    #[command(hide = true)]
    Reference(reference::Options),
}

/// Parses the arguments and runs the verb.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    match cli.verb {
        Verb::AuthKeys { user, key: _, key_dir } => auth_keys::run(&user, key_dir),
        Verb::CheckConfig { path } => check_config::run(path.as_deref()),
        Verb::ServerSetup(options) => report(server_setup::run(&options)),
        Verb::AddUser(options) => report(add_user::run(&options)),
        Verb::RemoveUser(options) => report(remove_user::run(&options)),
        Verb::ListUsers(options) => report(list_users::run(&options)),
        Verb::List(options) => report(list::run(&options)),
        Verb::Status(options) => report(status::run(&options)),
        Verb::Doctor(options) => doctor::run(&options).unwrap_or_else(|error| report(Err(error))),
        Verb::Stop(options) => report(stop::run(options)),
        Verb::Cleanup(options) => report(cleanup::run(&options)),
        Verb::VerifyImage(options) => verify_image::run(&options).unwrap_or_else(|error| report(Err(error))),
        Verb::Backup(options) => report(backup::run(&options)),
        Verb::Restore(options) => report(restore::run(&options)),
        Verb::Spawn(options) => spawn::run(options),
        Verb::Guest(options) => guest::run(options),
        Verb::Broker(options) => report(broker::run(&options)),
        Verb::Metrics(options) => report(metrics::run(&options)),
        Verb::Completions(options) => report(completions::run(&options, &visible())),
        Verb::Man(options) => report(man::run(&options, visible())),
        Verb::Reference(options) => report(reference::run(&options)),
    }
}

/// The command line without the hidden verbs, which users do not type.
fn visible() -> clap::Command {
    let whole = Cli::command();
    let verbs: Vec<_> = whole.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let about = whole.get_about().cloned().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    clap::Command::new("podspawn")
        .about(about)
        .version(version)
        .propagate_version(true)
        .subcommand_required(true)
        .subcommands(verbs)
}

/// Prints the mistake in the arguments, or the requested help.
fn misused(error: &clap::Error) -> ExitCode {
    // sshd's arguments are no mistake of the administrator. Without keys and with 0, sshd continues.
    if error.use_stderr() && std::env::args_os().nth(1).is_some_and(|verb| verb == "auth-keys") {
        auth_keys::refuse(&error.kind().to_string());
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The one place where an error is printed, with its causes, on one line.
fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::complain(chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        visible().debug_assert();
    }

    #[test]
    fn the_help_of_every_verb_has_examples_and_fits_a_terminal() {
        let verbs: Vec<_> = visible().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        assert!(verbs.iter().any(|verb| verb == "list") && !verbs.iter().any(|verb| verb == "guest"), "{verbs:?}");
        for verb in &verbs {
            let help = Cli::command().term_width(80).try_get_matches_from(["podspawn", verb, "--help"]).unwrap_err();
            let help = help.render().to_string();
            let (_, examples) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("{verb} has no examples: {help}"));
            assert!(examples.lines().any(|line| line.starts_with("  ")), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{verb}: {line}");
            }
        }
    }
}
