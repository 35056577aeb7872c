//! Where a long-lived process logs: the journal with fields when systemd runs it, stderr otherwise.

use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _};

/// What is logged unless `RUST_LOG` says otherwise. Libraries at trace level log whole messages, which hold what users
/// send; nobody gets that by accident.
const DEFAULT: &str = "podspawn=info,warn";

/// Installs the process's log.
pub(crate) fn to_journal() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    // systemd sets this for what it starts with stderr connected to the journal.
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let journal = under_systemd.then(|| tracing_journald::layer().ok()).flatten().map(|layer| {
        layer.with_field_prefix(Some("PODSPAWN".to_owned())).with_syslog_identifier("podspawn".to_owned())
    });
    let stderr = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
    });
    // Fails only if a log is installed already, which then stays.
    let _ = registry().with(journal).with(stderr.with_filter(None::<EnvFilter>)).with(filter).try_init();
}
