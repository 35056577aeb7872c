//! Stopping the broker and starting it again, where systemd runs it.

use crate::sys::systemd::{Systemctl, Unit};
use anyhow::{Context as _, ensure};
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

const SOCKET: &str = "podspawn-broker.socket";
const TIMER: &str = "podspawn-cleanup.timer";
/// Units that write to the state or start one that does. The socket stands before its service, which it would start again.
const UNITS: [&str; 4] = [TIMER, "podspawn-cleanup.service", SOCKET, "podspawn-broker.service"];

/// How long systemd may take: it waits 90 s, its default, for a cleanup pass to stop.
const DEADLINE: Duration = Duration::from_secs(180);

/// The supervisor of the broker.
pub(super) enum Services {
    Systemd(Systemctl),
    /// Another one, which only the administrator knows.
    Unknown {
        socket: PathBuf,
    },
}

impl Services {
    pub(super) fn of_this_host(socket: &Path) -> Self {
        Systemctl::find().map_or_else(|| Self::Unknown { socket: socket.to_owned() }, Self::Systemd)
    }

    /// The units to start afterwards: the socket in any case, the timer if it runs.
    pub(super) fn running(&self) -> anyhow::Result<Vec<String>> {
        let Self::Systemd(systemctl) = self else { return Ok(Vec::new()) };
        let wanted = |(name, unit): &(&str, Unit)| match *name {
            SOCKET => true,
            TIMER => unit.property("ActiveState") == "active",
            _ => false,
        };
        Ok(installed(systemctl)?.into_iter().filter(wanted).map(|(name, _)| name.to_owned()).collect())
    }

    /// Returns when no process has the state open.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        match self {
            Self::Systemd(systemctl) => {
                let units: Vec<&str> = installed(systemctl)?.into_iter().map(|(name, _)| name).collect();
                Ok(systemctl.order(&[&["stop"], units.as_slice()].concat(), DEADLINE)?)
            }
            Self::Unknown { socket } => {
                ensure!(
                    UnixStream::connect(socket).is_err(),
                    "the broker runs and there is no systemd that could stop it; stop it, and what opens {} for it",
                    socket.display()
                );
                Ok(())
            }
        }
    }

    /// False if the administrator has to start the broker.
    pub(super) fn start(units: &[String]) -> anyhow::Result<bool> {
        if units.is_empty() {
            return Ok(false);
        }
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        // Names from a file that root wrote; all the same only these.
        ensure!(units.iter().all(|unit| UNITS.contains(unit)), "{units:?} are not podspawn's units");
        // After repeated tries systemd may refuse another start, and no user could log in.
        let systemctl = Systemctl::find().context("there is no systemd to start podspawn's units")?;
        let _ = systemctl.run(&[&["reset-failed"], units.as_slice()].concat(), DEADLINE);
        systemctl.order(&[&["start"], units.as_slice()].concat(), DEADLINE)?;
        Ok(true)
    }
}

/// podspawn's units on this host.
fn installed(systemctl: &Systemctl) -> anyhow::Result<Vec<(&'static str, Unit)>> {
    let units = systemctl.show(&UNITS, &["LoadState", "ActiveState"], DEADLINE)?;
    let mut installed: Vec<(&str, Unit)> = UNITS.into_iter().zip(units).collect();
    installed.retain(|(_, unit)| unit.property("LoadState") == "loaded");
    ensure!(!installed.is_empty(), "systemd knows none of podspawn's units");
    Ok(installed)
}
