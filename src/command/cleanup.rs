//! `podspawn cleanup`: one cleanup by the broker, or one in every interval.

use super::{
    list::Broker,
    table::{Cell, Table, colour},
};
use crate::{
    domain::{Span, chain},
    protocol::varlink::{CleanupParameters, methods::Cleanup},
    sys::stderr,
};
use std::{
    io::{self, Write as _},
    thread,
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn cleanup --dry-run\n  podspawn cleanup --daemon --interval 60s")]
pub struct Options {
    /// Keep running, with a pass every --interval
    #[arg(long)]
    daemon: bool,
    /// The time between two passes
    #[arg(long, value_name = "DURATION", default_value = "60s", requires = "daemon")]
    interval: Span,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    broker: Broker,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    loop {
        let pass = pass(&options.broker, options.dry_run);
        if !options.daemon {
            return pass;
        }
        if let Err(error) = pass {
            // The broker or the engine may answer again at the next pass.
            stderr::complain(chain(error.as_ref()));
        }
        thread::sleep(options.interval.into());
    }
}

/// One pass, with a table of the removed objects.
pub(super) fn pass(broker: &Broker, dry_run: bool) -> anyhow::Result<()> {
    let parameters = CleanupParameters { dry_run };
    let reply = broker.connect()?.call::<Cleanup>(&parameters)?;
    if reply.removed.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[if dry_run { "WOULD REMOVE" } else { "REMOVED" }, "NAME", "REASON"]);
    for one in &reply.removed {
        table.row(vec![Cell::plain(one.kind), Cell::plain(&one.name), Cell::plain(&one.reason)]);
    }
    io::stdout().lock().write_all(table.render(colour()).as_bytes())?;
    Ok(())
}
