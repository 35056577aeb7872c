//! sshd as a unit of systemd: how it is made to read its configuration again without ending a connection.

use crate::{
    domain::plain,
    sshd::{
        Effective,
        greeting::greets,
        serving::{self, Found, Serving},
    },
    sys::{stderr, systemd::Systemctl},
};
use anyhow::Context as _;
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

/// How long systemd may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long sshd may take to listen again after a reload.
const PATIENCE: Duration = Duration::from_secs(20);

/// sshd, as systemd knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    systemctl: Systemctl,
    /// The units that may serve connections.
    units: Vec<String>,
    /// The service that ran before anything was changed.
    ran: Option<String>,
}

impl Service {
    /// Finds it; `name` is the administrator's choice. `None` where no systemd runs.
    pub(super) fn find(name: Option<&str>) -> anyhow::Result<Option<Self>> {
        let Some(systemctl) = Systemctl::find() else {
            anyhow::ensure!(
                name.is_none(),
                "systemd does not run here, so there is no service {}",
                name.unwrap_or("?")
            );
            return Ok(None);
        };
        let units = name.map_or_else(|| serving::UNITS.map(str::to_owned).to_vec(), serving::units_of);
        let mut service = Self { systemctl, units, ran: None };
        let found = service.look()?;
        if let (Some(name), Serving::Stopped { unit: None }) = (name, &found.serving) {
            anyhow::bail!("systemd knows no service {name}: see systemctl list-units '*ssh*'");
        }
        service.ran = match found.serving {
            Serving::Service { name } | Serving::Activated { service: name, .. } => Some(name),
            Serving::Socket { .. } | Serving::Stopped { .. } => None,
        };
        Ok(Some(service))
    }

    fn look(&self) -> anyhow::Result<Found> {
        let units: Vec<&str> = self.units.iter().map(String::as_str).collect();
        serving::find(&self.systemctl, &units, DEADLINE).context("asking systemd for sshd's units")
    }

    /// Has it read its configuration and waits until it answers again; `options` are those of any connection. Returns
    /// what was done.
    pub(super) fn read_again(&self, options: &Effective) -> anyhow::Result<String> {
        // A first connection may have started it since it was looked for.
        let found = self.look()?;
        Ok(match &found.serving {
            Serving::Service { name } => {
                self.until_it_answers("reload", name, &found.addresses(options))?;
                format!("reloaded {name}")
            }
            Serving::Activated { service, socket, keeps_connections: true } => {
                self.until_it_answers("restart", service, &found.addresses(options))?;
                format!("restarted {service}, which {socket} had started; connections go on")
            }
            Serving::Activated { service, socket, keeps_connections: false } => format!(
                "note: {service} was started by {socket} and does not survive a reload, and a restart would end its \
                 connections: systemctl restart {service} when none is needed"
            ),
            Serving::Socket { name } => format!("{name} starts sshd for the next connection, and it reads this then"),
            Serving::Stopped { .. } => "sshd does not run; it reads this when it starts".to_owned(),
        })
    }

    fn until_it_answers(&self, verb: &str, name: &str, addresses: &[SocketAddr]) -> anyhow::Result<()> {
        let address = addresses.iter().copied().find(|address| greets(*address));
        let done = self.systemctl.run(&[verb, "--", name], DEADLINE)?;
        anyhow::ensure!(done.succeeded(), "systemctl {verb} {name}: {}", done.complaint());
        let end = Instant::now() + PATIENCE;
        // It listens anew, so for a moment it does not answer; and a process that cannot go on ends in that moment.
        let mut good = 0;
        while good < 3 {
            anyhow::ensure!(Instant::now() < end, "{name} does not answer since systemctl {verb}");
            thread::sleep(Duration::from_millis(100));
            good = if self.runs()? && address.is_none_or(greets) { good + 1 } else { 0 };
        }
        Ok(())
    }

    fn runs(&self) -> anyhow::Result<bool> {
        Ok(matches!(self.look()?.serving, Serving::Service { .. } | Serving::Activated { .. }))
    }

    /// Has it run with the current configuration; starts it only where it ran before and is gone.
    pub(super) fn recover(&self) {
        let (verb, name) = match (self.look().map(|found| found.serving), &self.ran) {
            (Ok(Serving::Service { name }), _) => ("reload", name),
            (Ok(Serving::Activated { service, keeps_connections: true, .. }), _) => ("restart", service),
            (Ok(Serving::Socket { .. } | Serving::Stopped { .. }), Some(name)) => ("start", name.clone()),
            _ => return,
        };
        if let Err(error) = self.systemctl.order(&[verb, "--", &name], DEADLINE) {
            stderr::complain(plain(error));
        }
    }
}
