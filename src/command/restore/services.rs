//! Stopping the broker and having it back, where systemd runs it.

use crate::command::systemctl::Systemctl;
use anyhow::{Context as _, bail, ensure};
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

const SOCKET: &str = "podspawn-broker.socket";
const TIMER: &str = "podspawn-cleanup.timer";
/// What may write to the state or make somebody do so. The socket before its service, or that would come back.
const UNITS: [&str; 4] = [TIMER, "podspawn-cleanup.service", SOCKET, "podspawn-broker.service"];

/// How long systemd may take: it gives a cleanup pass that has to be stopped 90 s, its default.
const DEADLINE: Duration = Duration::from_secs(180);

/// Who runs the broker.
pub(super) enum Services {
    Systemd(Systemctl),
    /// Somebody else, whom only the administrator knows.
    Unknown {
        socket: PathBuf,
    },
}

impl Services {
    pub(super) fn of_this_host(socket: &Path) -> Self {
        Systemctl::find().map_or_else(|| Self::Unknown { socket: socket.to_owned() }, Self::Systemd)
    }

    /// What is to be started afterwards: the socket in any case, the timer if it runs.
    pub(super) fn running(&self) -> anyhow::Result<Vec<String>> {
        let Self::Systemd(systemctl) = self else { return Ok(Vec::new()) };
        let installed = installed(systemctl)?;
        let wanted = |unit: &&&str| match **unit {
            SOCKET => true,
            TIMER => property(systemctl, TIMER, "ActiveState").is_ok_and(|state| state == "active"),
            _ => false,
        };
        Ok(installed.iter().filter(wanted).map(|unit| (*unit).to_owned()).collect())
    }

    /// Returns when nobody has the state open.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        match self {
            Self::Systemd(systemctl) => {
                let arguments = [&["stop"], installed(systemctl)?.as_slice()].concat();
                systemctl.order(&arguments, DEADLINE).map(drop)
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

    /// False if that is left to the administrator.
    pub(super) fn start(units: &[String]) -> anyhow::Result<bool> {
        if units.is_empty() {
            return Ok(false);
        }
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        // Names from a file that root wrote; all the same only these.
        ensure!(units.iter().all(|unit| UNITS.contains(unit)), "{units:?} are not podspawn's units");
        // Whoever tried and tried again may have come to systemd's limit of starts; nobody could log in then.
        let systemctl = Systemctl::find().context("there is no systemd to start podspawn's units")?;
        let _ = systemctl.run(&[&["reset-failed"], units.as_slice()].concat(), DEADLINE);
        systemctl.order(&[&["start"], units.as_slice()].concat(), DEADLINE)?;
        Ok(true)
    }
}

fn installed(systemctl: &Systemctl) -> anyhow::Result<Vec<&'static str>> {
    let mut installed = Vec::new();
    for unit in UNITS {
        if property(systemctl, unit, "LoadState")? == "loaded" {
            installed.push(unit);
        }
    }
    if installed.is_empty() {
        bail!("systemd knows none of podspawn's units");
    }
    Ok(installed)
}

fn property(systemctl: &Systemctl, unit: &str, name: &str) -> anyhow::Result<String> {
    let done = systemctl.order(&["show", "--property", name, "--value", unit], DEADLINE)?;
    Ok(done.out.trim().to_owned())
}
