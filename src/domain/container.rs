//! What a session's container may use and do.

use super::{Invalid, Size};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// A number of processors, more than zero and at most 1024, in steps of a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Cpus(f64);

impl Cpus {
    /// In billionths, as the engine's API takes it.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // at most 1024e9
    pub fn as_nanos(self) -> i64 {
        (self.0 * 1_000.0).round() as i64 * 1_000_000
    }
}

impl TryFrom<f64> for Cpus {
    type Error = Invalid;

    fn try_from(cpus: f64) -> Result<Self, Invalid> {
        if (0.001..=1024.0).contains(&cpus) {
            Ok(Self(cpus))
        } else {
            Err(Invalid::new(format!("{cpus} is not a number of cpus such as 2.0: from 0.001 to 1024")))
        }
    }
}

impl From<Cpus> for f64 {
    fn from(cpus: Cpus) -> Self {
        cpus.0
    }
}

/// What a container may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Processors.
    pub cpus: Cpus,
    /// Memory; swap is not given beside it.
    pub memory: Size,
    /// Processes and threads.
    pub pids: u32,
}

/// What a container may do. The same for every container of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardening {
    /// Capabilities to drop, names without `CAP_`, or `ALL`.
    pub cap_drop: Vec<String>,
    /// Capabilities to give back.
    pub cap_add: Vec<String>,
    /// Whether set-uid programs inside gain nothing.
    pub no_new_privileges: bool,
    /// Whether the root file system is read-only.
    pub readonly_rootfs: bool,
    /// Mount point in the container → mount options.
    pub tmpfs: BTreeMap<String, String>,
    /// The engine's OCI runtime; `None` is its default.
    pub runtime: Option<String>,
    /// The content of a seccomp profile (JSON); `None` is the engine's default.
    pub seccomp: Option<Arc<str>>,
}

/// A directory or file of the host that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub target: PathBuf,
    /// Whether the container may write.
    pub writable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_bounded() {
        assert_eq!(Cpus::try_from(2.0).unwrap().as_nanos(), 2_000_000_000);
        assert_eq!(Cpus::try_from(0.5).unwrap().as_nanos(), 500_000_000);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 2000.0] {
            assert!(Cpus::try_from(bad).is_err(), "{bad}");
        }
    }
}
