//! `podspawn metrics`: serves the measurements over HTTP, started by systemd at the first connection.
//!
//! Its only right is to call the broker's Measurements. It trusts no client: every process of this host can connect.

mod connection_limit;
mod listeners;
mod scrape_cache;
mod serve;

use crate::{broker::drop_capabilities, domain::Span, protocol::measurements::LAST_MEASUREMENTS, sys::tally::Tally};
use anyhow::Context as _;
use libsystemd::daemon::{NotifyState, notify};
use listeners::Listeners;
use scrape_cache::ScrapeCache;
use serve::{serve_tcp, serve_unix};
use std::{path::PathBuf, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{LocalSet, spawn_local},
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long to stay without anybody who asks
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    idle_exit: Span,
    /// The broker's last measurements
    #[arg(long, hide = true, default_value = LAST_MEASUREMENTS)]
    last: PathBuf,
    #[command(flatten)]
    broker: super::list::Broker,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let _log = crate::log::install();
    let listeners = Listeners::inherited()?;
    drop_capabilities()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    LocalSet::new().block_on(&runtime, live(options, listeners))?;
    // A scrape that is still running has no client any more.
    runtime.shutdown_background();
    Ok(())
}

async fn live(options: &Options, listeners: Listeners) -> anyhow::Result<()> {
    let cache = ScrapeCache::start(options.broker.socket.clone(), options.last.clone());
    let open = Tally::default();
    for listener in listeners.tcp {
        let listener = tokio::net::TcpListener::from_std(listener).context("listening")?;
        spawn_local(serve_tcp(listener, cache.clone(), open.clone()));
    }
    for listener in listeners.unix {
        let listener = tokio::net::UnixListener::from_std(listener).context("listening")?;
        spawn_local(serve_unix(listener, cache.clone(), open.clone()));
    }
    let _ = notify(false, &[NotifyState::Ready]);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let idle_exit = Duration::from(options.idle_exit).max(Duration::from_millis(100));
    tokio::select! {
        () = open.zero_for(idle_exit) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = notify(false, &[NotifyState::Stopping]);
    Ok(())
}
