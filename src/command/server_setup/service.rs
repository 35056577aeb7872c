//! The service that runs sshd: found out, told to read its configuration again, and never restarted.

use crate::{command::systemctl::Systemctl, sshd::greeting::greets, sys::program::Finished};
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

/// What sshd's service is called: Debian's name, and everybody else's.
const NAMES: [&str; 2] = ["ssh.service", "sshd.service"];
/// How long systemd may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long sshd may take to listen again after it was told to read its configuration.
const PATIENCE: Duration = Duration::from_secs(20);

/// How sshd runs on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// systemd has it running under that name.
    Running(Running),
    /// Nothing runs: whoever starts it, a socket maybe, starts it with the configuration of then.
    Idle,
    /// There is no systemd to ask.
    Unknown,
}

/// A service that can be reloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    systemctl: Systemctl,
    pub(super) name: String,
}

impl Service {
    /// Finds it; `name` is what the administrator calls it.
    pub(super) fn find(name: Option<&str>) -> anyhow::Result<Self> {
        let Some(systemctl) = Systemctl::find() else {
            anyhow::ensure!(
                name.is_none(),
                "there is no systemd that runs here, so no service {}",
                name.unwrap_or("?")
            );
            return Ok(Self::Unknown);
        };
        for candidate in name.map_or(NAMES.to_vec(), |name| vec![name]) {
            let running = Running { systemctl: systemctl.clone(), name: candidate.to_owned() };
            match (running.property("LoadState")?.as_str(), running.is_active()?) {
                (_, true) => return Ok(Self::Running(running)),
                ("loaded", false) => {}
                _ => anyhow::ensure!(
                    name.is_none(),
                    "systemd knows no service {candidate}: see systemctl list-units '*ssh*'"
                ),
            }
        }
        Ok(Self::Idle)
    }
}

impl Running {
    fn systemctl(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        self.systemctl.run(arguments, DEADLINE)
    }

    fn property(&self, property: &str) -> anyhow::Result<String> {
        let done = self.systemctl(&["show", "--value", &format!("--property={property}"), "--", &self.name])?;
        Ok(done.out.trim().to_owned())
    }

    fn is_active(&self) -> anyhow::Result<bool> {
        Ok(["active", "reloading"].contains(&self.property("ActiveState")?.as_str()))
    }

    /// Has it read its configuration again, and waits until it answers at `address`, where it did before.
    pub(super) fn reload(&self, address: Option<SocketAddr>) -> anyhow::Result<()> {
        let address = address.filter(|address| greets(*address));
        let done = self.systemctl(&["reload", "--", &self.name])?;
        anyhow::ensure!(done.succeeded(), "systemctl reload {}: {}", self.name, done.complaint());
        let end = Instant::now() + PATIENCE;
        // It listens anew, so for a moment nobody answers; and a process that could not go on ends in that moment.
        let mut good = 0;
        while good < 3 {
            anyhow::ensure!(Instant::now() < end, "{} does not answer since it was reloaded", self.name);
            thread::sleep(Duration::from_millis(100));
            good = if self.is_active()? && address.is_none_or(greets) { good + 1 } else { 0 };
        }
        Ok(())
    }

    /// Has it running with the configuration that is there now; starts it only where it is gone.
    pub(super) fn recover(&self) {
        let verb = if self.is_active().unwrap_or(false) { "reload" } else { "start" };
        if let Err(error) = self.systemctl(&[verb, "--", &self.name]) {
            eprintln!("podspawn: systemctl {verb} {}: {error:#}", self.name);
        }
    }
}
