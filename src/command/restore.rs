//! `podspawn restore DIR`: verify, lay out, stop, change over, start, reconcile.
//!
//! Killed before the change-over it has changed nothing, killed later the next restore finishes it; the broker does not
//! start between the two.

mod live;
mod services;

use super::{
    cleanup,
    list::Broker,
    table::{Cell, Table, colour},
};
use crate::{
    backup::{Backup, Journal, LeftOut, Plan, Prepared, StateLock},
    domain::{plain, text::one_line},
    settings,
};
use anyhow::{Context as _, bail, ensure};
use services::Services;
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads the whole backup first and refuses one that is not as it was written. What is replaced is kept beside it, as \
                  PATH.before-restore-TIME. Homes come back if they are in the backup.\n\n\
                  Examples:\n  podspawn restore /var/backups/podspawn/20260315T101530Z --dry-run\n  \
                  podspawn restore /var/backups/podspawn/20260315T101530Z\n  podspawn restore --resume"
)]
pub struct Options {
    /// The backup: a directory with a manifest.json
    #[arg(required_unless_present = "resume")]
    dir: Option<PathBuf>,
    /// Print the changes and make none
    #[arg(long)]
    dry_run: bool,
    /// Even while there are sessions; those that the backup does not know are destroyed
    #[arg(long)]
    force: bool,
    /// Finish a restore that was interrupted
    #[arg(long, conflicts_with_all = ["dir", "dry_run", "force"])]
    resume: bool,
    /// Where the configuration is
    #[arg(long, value_name = "DIR", default_value = settings::ROOT, hide = true)]
    config: PathBuf,
    #[command(flatten)]
    broker: Broker,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    super::require_root("restore")?;
    let etc = options.config.as_path();
    let _lock = StateLock::exclusive(etc)?;
    let services = Services::of_this_host(&options.broker.socket);
    if options.dry_run {
        ensure!(Journal::find(etc)?.is_none(), crate::backup::PENDING);
    } else {
        let found = finish_earlier(options, &services)?;
        if options.resume {
            ensure!(found, "there is no restore to resume");
            return Ok(());
        }
    }
    let Some(dir) = &options.dir else { return Ok(()) };
    let backup = Backup::open(dir)?;
    let plan = Plan::make(&backup, etc)?;
    say(&format!("{}, {}", dir.display(), backup.origin()))?;
    for LeftOut { path, reason } in backup.left_out() {
        say(&one_line(&format!("{path} is not in the backup: {reason}")))?;
    }
    if plan.is_empty() {
        return say("everything is as it is in the backup");
    }
    show(&plan, options.dry_run)?;
    let sessions = if plan.concerns_sessions() { live::sessions(etc) } else { Ok(Vec::new()) };
    let obstacle = live::obstacle(&sessions);
    if options.dry_run {
        return obstacle.map_or(Ok(()), |why| say(&format!("needs --force: {why}")));
    }
    match obstacle {
        Some(why) if !options.force => bail!("{why}"),
        _ => {}
    }
    restore(options, &services, &plan, &backup)
}

fn restore(options: &Options, services: &Services, plan: &Plan, backup: &Backup) -> anyhow::Result<()> {
    let mut prepared = Prepared::begin(plan, services.running()?)?;
    let ready = prepared.stage(plan, backup).map_err(anyhow::Error::from).and_then(|()| {
        services.stop()?;
        // A user may have logged in while files were copied.
        let sessions = if plan.concerns_sessions() { live::sessions(&options.config) } else { Ok(Vec::new()) };
        match live::obstacle(&sessions) {
            Some(why) if !options.force => bail!("{why}"),
            _ => Ok(()),
        }
    });
    if let Err(error) = ready {
        let start = prepared.start().to_vec();
        prepared.give_up()?;
        Services::start(&start)?;
        return Err(error);
    }
    change_over(prepared.commit()?, services, options)
}

/// Finishes a restore that has a journal, of this run or of an earlier one.
fn change_over(journal: Journal, services: &Services, options: &Options) -> anyhow::Result<()> {
    // With the journal in place no broker opens the state; one that did a moment before is stopped.
    services.stop()?;
    let start = journal.start().to_vec();
    for kept in journal.finish()? {
        say(&format!("kept {}", kept.display()))?;
    }
    if !Services::start(&start)? {
        return say("restored; start podspawn's broker socket, then run `podspawn cleanup`");
    }
    // Containers that the restored state does not know, and sessions without a container.
    cleanup::pass(&options.broker, false)
        .context("restored, but not yet held against the engine; run `podspawn cleanup` when this is mended")?;
    say("restored")
}

/// Finishes a restore that was killed after its change-over began, and removes what one left that was killed before.
fn finish_earlier(options: &Options, services: &Services) -> anyhow::Result<bool> {
    let etc = options.config.as_path();
    if let Some(journal) = Journal::find(etc)? {
        say(&format!("finishing the restore of {}", journal.from().display()))?;
        change_over(journal, services, options)?;
        return Ok(true);
    }
    let Some(prepared) = Prepared::find(etc)? else { return Ok(false) };
    let start = prepared.start().to_vec();
    prepared.give_up()?;
    Services::start(&start)?;
    say("a restore was interrupted before it changed anything; what it had laid out is removed")?;
    Ok(true)
}

fn show(plan: &Plan, dry_run: bool) -> anyhow::Result<()> {
    let mut table = Table::new(&[if dry_run { "WOULD" } else { "WILL" }, "PATH"]);
    for change in plan.changes() {
        table.row(vec![Cell::plain(change.verb), Cell::plain(change.path.display())]);
    }
    Ok(io::stdout().lock().write_all(table.render(colour()).as_bytes())?)
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout().lock(), "{}", plain(line))?)
}
