//! `podspawn broker`: systemd starts it on a connection to its socket.

use crate::domain::Span;
use std::path::PathBuf;

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The directory of the configuration
    #[arg(long, value_name = "DIR", default_value = crate::settings::ROOT)]
    config: PathBuf,
    /// How long to run without a session
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    idle_exit: Span,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let log = crate::log::install();
    crate::broker::run(&options.config, options.idle_exit.into(), log)
}
