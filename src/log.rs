//! Where a long-lived process logs: the journal with fields when systemd runs it, stderr otherwise, and a file beside
//! them if the configuration names one.
//!
//! The events and their fields are those of [`crate::event`]; this module writes them.

mod file;
mod journal;
mod line;

pub use file::{LogFile, LogFileError};
pub use journal::Journal;

use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _};

/// What is logged unless `RUST_LOG` says otherwise. Libraries at trace level log whole messages, which contain what users
/// send: that takes a deliberate setting.
const DEFAULT: &str = "podspawn=info,warn";

/// Installs the process's log. The file is nowhere until [`LogFile::write_to`] says where.
#[must_use]
pub fn install() -> LogFile {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let file = LogFile::default();
    let journal = libsystemd::logging::connected_to_journal().then_some(Journal);
    let stderr = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
    });
    // Fails only if a log is installed already, which then stays.
    let _ = registry()
        .with(journal)
        .with(stderr.with_filter(None::<EnvFilter>))
        .with(file::Layer(file.clone()))
        .with(filter)
        .try_init();
    file
}

#[cfg(test)]
mod tests;
