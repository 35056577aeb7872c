//! `podspawn server-setup`: the accounts, the directories and sshd's block, without locking out administrators.
//!
//! sshd checks the new configuration as a copy before a file changes, and the files themselves afterwards: podspawn's
//! users have to get podspawn's command, nothing may change for others, and an administrator has to be able to log in.
//! On any failure the files are put back.

mod candidate;
mod diff;
mod journal;
mod layout;
mod service;
mod sshd_check;
mod sshd_files;
mod steps;

use crate::{
    accounts::local::LocalAccounts,
    doctor,
    sshd::{self, Sshd, block::Block},
    sys::immutable,
};
use anyhow::Context as _;
use service::Service;
use std::path::{Path, PathBuf};
use steps::Setup;

/// The option of NixOS in place of this verb.
const NIX_OPTION: &str = "services.podspawn.enable = true";

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn server-setup --dry-run    # what would be done\n  podspawn server-setup\n  podspawn \
                  server-setup --remove   # sshd without podspawn\n\nIt can be run again at any time. It changes only \
                  what differs."
)]
pub struct Options {
    /// Check everything and print the changes as a diff, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take podspawn out of sshd's configuration; accounts, keys and state stay
    #[arg(long)]
    remove: bool,
    /// sshd's configuration file
    #[arg(long, value_name = "PATH", default_value = sshd::CONFIG)]
    sshd_config: PathBuf,
    /// sshd's program [default: the host's own]
    #[arg(long, value_name = "PATH")]
    sshd: Option<PathBuf>,
    /// sshd's service or socket, to have it read its configuration [default: ssh or sshd, whichever is active]
    #[arg(long, value_name = "NAME")]
    service_name: Option<String>,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    super::require_root("server-setup")?;
    let binary = std::env::current_exe().context("finding podspawn's own path")?;
    let caller = doctor::ways_in::caller();
    // Files of another sshd than the host's have no service, unless one is named.
    let is_hosts = options.sshd_config.as_path() == Path::new(sshd::CONFIG);
    let service =
        if is_hosts || options.service_name.is_some() { Service::find(options.service_name.as_deref())? } else { None };
    let setup = Setup {
        sshd: Sshd::find(options.sshd.as_deref())?,
        config: options.sshd_config.clone(),
        block: Block::new(binary),
        service,
        root: sshd_check::root(),
        caller,
        dry_run: options.dry_run,
    };
    if let Some(immutable) = immutable::check(&setup.config) {
        anyhow::bail!("{}", immutable.message(&setup.config, NIX_OPTION));
    }
    setup.preflight(options.remove)?;
    if options.remove {
        return setup.remove(&LocalAccounts::read(&setup.root)?);
    }
    let made = layout::make(&setup.root, options.dry_run)?;
    let would = if options.dry_run { "would make" } else { "made" };
    for line in &made.missing {
        println!("{would} {line}");
    }
    for line in &made.otherwise {
        println!("note: a local tmpfiles.d has otherwise: {line}");
    }
    if setup.setup(&made.local)? {
        println!(
            "next: systemctl enable --now podspawn-broker.socket podspawn-cleanup.timer podspawn-backup.timer, and podspawn add-user NAME --key …"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
