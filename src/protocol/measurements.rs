//! The reply of `io.podspawn.Metrics.Measurements`: families of samples.
//!
//! The broker names and explains them; whatever exports them needs no knowledge of any name. Neither depends on the other's
//! version.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// The file with the last measurements of a broker that exited because it was idle.
pub const LAST_MEASUREMENTS: &str = "/run/podspawn/measurements/last.json";

/// The file that a completed backup touches: the backup's own directory is not readable for the broker.
pub const BACKUP_STAMP: &str = "/var/lib/podspawn-backup/last";

/// Largest size of [`LAST_MEASUREMENTS`], in bytes.
pub const MAX_MEASUREMENTS_BYTES: usize = 4 * 1024 * 1024;

/// Parameters of the reply to `Measurements`, and what is in [`LAST_MEASUREMENTS`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasurementsReply {
    /// In the order in which they are shown.
    pub families: Vec<Family>,
    /// Whether the broker has exited since because it was idle: then it need not be started to be asked.
    #[serde(default)]
    pub resting: bool,
}

/// Samples with the same name, meaning and type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// The metric's name; a counter's ends in `_total`.
    pub name: Cow<'static, str>,
    /// A sentence without its full stop.
    pub help: Cow<'static, str>,
    /// The type.
    pub kind: Kind,
    /// No two samples have the same labels.
    pub samples: Vec<Sample>,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Increases, and restarts at 0.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// Counts by upper bound.
    Histogram,
    /// A gauge whose name has a suffix reserved for counters.
    Unknown,
}

/// One value, or one histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Values by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Cow<'static, str>, Cow<'static, str>>,
    /// The value; absent for a histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The histogram, for that type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// The distribution of observed values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds, ascending.
    pub bounds: Vec<f64>,
    /// The number of values up to each bound and above the one before; then the number above the last bound.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}
