//! `podspawn metrics`: Prometheus' questions over HTTP, started by systemd when somebody connects.
//!
//! It has no rights but to ask the broker what is measured, and believes nobody who connects: whoever is on this host can.

mod asker;
mod crowd;
mod listeners;
mod serve;

use crate::{broker::drop_capabilities, domain::Span, protocol::measurements::LAST_MEASUREMENTS};
use anyhow::Context as _;
use asker::Asker;
use libsystemd::daemon::{NotifyState, notify};
use listeners::Listeners;
use serve::{Use, serve_tcp, serve_unix};
use std::{path::PathBuf, rc::Rc, time::Duration};
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
    // An answer that the broker owes is waited for by nobody.
    runtime.shutdown_background();
    Ok(())
}

async fn live(options: &Options, listeners: Listeners) -> anyhow::Result<()> {
    let asker = Asker::start(options.broker.socket.clone(), options.last.clone());
    let usage = Rc::new(Use::default());
    for listener in listeners.tcp {
        let listener = tokio::net::TcpListener::from_std(listener).context("listening")?;
        spawn_local(serve_tcp(listener, asker.clone(), Rc::clone(&usage)));
    }
    for listener in listeners.unix {
        let listener = tokio::net::UnixListener::from_std(listener).context("listening")?;
        spawn_local(serve_unix(listener, asker.clone(), Rc::clone(&usage)));
    }
    let _ = notify(false, &[NotifyState::Ready]);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let idle_exit = Duration::from(options.idle_exit).max(Duration::from_millis(100));
    tokio::select! {
        () = usage.none_for(idle_exit) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = notify(false, &[NotifyState::Stopping]);
    Ok(())
}
