//! The sockets that systemd passed.

use anyhow::{Context as _, bail};
use std::{net::TcpListener, os::unix::net::UnixListener};

/// Most sockets that are taken.
const MAX: usize = 16;

/// As many of either kind as the socket unit names.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) unix: Vec<UnixListener>,
}

impl Listeners {
    pub(super) fn inherited() -> anyhow::Result<Self> {
        let mut inherited = listenfd::ListenFd::from_env();
        let mut listeners = Self::default();
        for index in 0..inherited.len().min(MAX) {
            // One that is of the other kind is left where it is.
            if let Ok(Some(listener)) = inherited.take_unix_listener(index) {
                listener.set_nonblocking(true).context("preparing a socket")?;
                listeners.unix.push(listener);
            } else {
                let listener = inherited.take_tcp_listener(index).context("taking a socket from systemd")?;
                let listener = listener.context("a socket was passed twice")?;
                listener.set_nonblocking(true).context("preparing a socket")?;
                listeners.tcp.push(listener);
            }
        }
        if listeners.tcp.is_empty() && listeners.unix.is_empty() {
            bail!(
                "no socket was passed; the metrics are served by podspawn-metrics.socket: \
                 systemctl enable --now podspawn-metrics.socket"
            );
        }
        Ok(listeners)
    }
}
