//! podspawn's units as systemd shows them, asked for once.

use crate::sys::systemd::{Systemctl, Unit};
use std::{collections::BTreeMap, time::Duration};

const UNITS: [&str; 10] = [
    "podspawn-broker.socket",
    "podspawn-broker.service",
    "podspawn-cleanup.timer",
    "podspawn-cleanup.service",
    "podspawn-backup.timer",
    "podspawn-backup.service",
    "podspawn-metrics.socket",
    "podspawn-metrics.service",
    "podspawn-textfile.timer",
    "podspawn-textfile.service",
];
const PROPERTIES: [&str; 7] = [
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "Result",
    "NeedDaemonReload",
    "ExecMainStatus",
    "ExecMainExitTimestampMonotonic",
];

/// podspawn's units by their names.
#[derive(Debug, Default)]
pub(crate) struct Units(BTreeMap<&'static str, Unit>);

impl Units {
    /// A unit; without any property if systemd does not know it.
    pub(crate) fn get(&self, name: &str) -> Unit {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Units as systemd would print them, for the tests of the checks that look at them.
    #[cfg(test)]
    pub(crate) fn parse_for_test(units: &[(&'static str, &str)]) -> Self {
        Self(units.iter().map(|(name, text)| (*name, Unit::parse_for_test(text))).collect())
    }

    /// The names of the units that were changed after systemd read them.
    pub(crate) fn changed(&self) -> Vec<&'static str> {
        let changed = self.0.iter().filter(|(_, unit)| unit.property("NeedDaemonReload") == "yes");
        changed.map(|(name, _)| *name).collect()
    }

    /// Asks systemd.
    pub(super) fn show(systemctl: Option<&Systemctl>, deadline: Duration) -> Result<Self, String> {
        let systemctl = systemctl.ok_or("systemd does not run this host")?;
        let units = systemctl.show(&UNITS, &PROPERTIES, deadline).map_err(|error| error.to_string())?;
        Ok(Self(UNITS.into_iter().zip(units).collect()))
    }
}
