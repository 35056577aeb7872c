//! Stopping the broker and having it back, where systemd runs it.

use anyhow::{Context as _, bail, ensure};
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const SOCKET: &str = "podspawn-broker.socket";
const TIMER: &str = "podspawn-cleanup.timer";
/// What may write to the state or make somebody do so. The socket before its service, or that would come back.
const UNITS: [&str; 4] = [TIMER, "podspawn-cleanup.service", SOCKET, "podspawn-broker.service"];

/// Who runs the broker.
pub(super) enum Services {
    Systemd,
    /// Somebody else, whom only the administrator knows.
    Unknown {
        socket: PathBuf,
    },
}

impl Services {
    /// By the directory that `sd_booted(3)` looks at.
    pub(super) fn of_this_host(socket: &Path) -> Self {
        let booted = Path::new("/run/systemd/system").symlink_metadata().is_ok_and(|about| about.is_dir());
        if booted { Self::Systemd } else { Self::Unknown { socket: socket.to_owned() } }
    }

    /// What is to be started afterwards: the socket in any case, the timer if it runs.
    pub(super) fn running(&self) -> anyhow::Result<Vec<String>> {
        if matches!(self, Self::Unknown { .. }) {
            return Ok(Vec::new());
        }
        let installed = installed()?;
        let wanted = |unit: &&&str| match **unit {
            SOCKET => true,
            TIMER => property(TIMER, "ActiveState").is_ok_and(|state| state == "active"),
            _ => false,
        };
        Ok(installed.iter().filter(wanted).map(|unit| (*unit).to_owned()).collect())
    }

    /// Returns when nobody has the state open.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        match self {
            Self::Systemd => systemctl(&[&["stop"], installed()?.as_slice()].concat()).map(drop),
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
        let _ = systemctl(&[&["reset-failed"], units.as_slice()].concat());
        systemctl(&[&["start"], units.as_slice()].concat())?;
        Ok(true)
    }
}

fn installed() -> anyhow::Result<Vec<&'static str>> {
    let mut installed = Vec::new();
    for unit in UNITS {
        if property(unit, "LoadState")? == "loaded" {
            installed.push(unit);
        }
    }
    if installed.is_empty() {
        bail!("systemd knows none of podspawn's units");
    }
    Ok(installed)
}

fn property(unit: &str, name: &str) -> anyhow::Result<String> {
    let output = systemctl(&["show", "--property", name, "--value", unit])?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<Output> {
    let output = Command::new("systemctl").args(arguments).output().context("running systemctl")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "systemctl {}: {}", arguments.join(" "), told.trim());
    Ok(output)
}
