//! The podspawn processes of the bench host and what they hold.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs;

/// One process; sizes in MiB.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resident {
    /// `spawn`, `guest` or `broker`.
    pub(crate) verb: String,
    /// Every page that is in memory.
    pub(crate) all: f64,
    /// The same, of shared pages its part only.
    pub(crate) part: f64,
    /// What no other process shares.
    pub(crate) own: f64,
}

pub(crate) fn measure() -> Result<Vec<Resident>> {
    let processes = fs::read_dir("/proc").context("/proc")?.flatten();
    // A process that has gone meanwhile is no longer of interest.
    Ok(processes.filter_map(|entry| look(entry.file_name().to_str()?)).collect())
}

fn look(pid: &str) -> Option<Resident> {
    pid.parse::<u32>().ok()?;
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = arguments.split('\0');
    let program = arguments.next()?;
    let verb = arguments.next().filter(|verb| matches!(*verb, "spawn" | "guest" | "broker"))?;
    if !program.ends_with("/podspawn") {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(Resident {
        verb: verb.to_owned(),
        all: field(&status, "VmRSS:")?,
        part: field(&rollup, "Pss:")?,
        own: field(&rollup, "Private_Clean:")? + field(&rollup, "Private_Dirty:")?,
    })
}

/// MiB of a line in kB.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}
