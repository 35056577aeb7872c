//! What is measured on, and how busy it is with other things.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{fmt, fs, thread, time::Duration};

/// The machine, looked at while the benchmark does nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processors: usize,
    kernel: String,
    /// Averages of 1, 5 and 15 minutes.
    load: [f64; 3],
    /// Share of all processors that others used during one second; stolen time is theirs too.
    busy: f64,
}

impl Machine {
    pub(crate) fn look() -> Result<Self> {
        let load = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
        let mut averages = load.split(' ').map(str::parse::<f64>);
        let mut next = || averages.next().context("/proc/loadavg is short")?.context("/proc/loadavg");
        let load = [next()?, next()?, next()?];
        let before = ticks()?;
        thread::sleep(Duration::from_secs(1));
        let after = ticks()?;
        let all = (after.0 - before.0).max(1.0);
        Ok(Self {
            processors: thread::available_parallelism().context("counting processors")?.get(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?.trim().to_owned(),
            load,
            busy: (1.0 - (after.1 - before.1) / all).clamp(0.0, 1.0),
        })
    }

    pub(crate) fn load(&self) -> String {
        let [one, five, fifteen] = self.load;
        format!("{one:.2} {five:.2} {fifteen:.2}, {:.0} % busy without us", self.busy * 100.0)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} processors, Linux {}, load {}", self.processors, self.kernel, self.load())
    }
}

/// All ticks of all processors, and the idle ones among them.
fn ticks() -> Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let first = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<f64> = first.split_ascii_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle = ticks.get(3).copied().unwrap_or_default() + ticks.get(4).copied().unwrap_or_default();
    Ok((ticks.iter().sum(), idle))
}
