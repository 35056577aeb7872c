//! What `io.podspawn.Metrics.Measurements` answers: families of samples, whoever shows them.
//!
//! The one who measures names and explains; the one who shows knows no name. Neither has to know the other's version.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// `io.podspawn.Metrics.Measurements`.
pub const MEASUREMENTS: &str = "io.podspawn.Metrics.Measurements";

/// Where a broker that leaves because it has nothing to do writes its last measurements.
pub const LAST_MEASUREMENTS: &str = "/run/podspawn/measurements/last.json";

/// What a backup writes anew when it is complete, for its own directory is nobody else's to look into.
pub const BACKUP_STAMP: &str = "/var/lib/podspawn-backup/last";

/// Most bytes of them.
pub const MAX_MEASUREMENTS_BYTES: usize = 4 * 1024 * 1024;

/// Parameters of the reply to `Measurements`, and what is in [`LAST_MEASUREMENTS`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasurementsReply {
    /// In the order in which they are shown.
    pub families: Vec<Family>,
    /// Whether the broker has left since, with nothing to do: then nobody has to be asked.
    #[serde(default)]
    pub resting: bool,
}

/// Samples that have a name, a meaning and a type in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// As it is asked for: of a counter with its `_total`.
    pub name: Cow<'static, str>,
    /// A sentence without its full stop.
    pub help: Cow<'static, str>,
    /// What may be done with the values.
    pub kind: Kind,
    /// No two have the same labels.
    pub samples: Vec<Sample>,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Goes up, and begins anew at 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
    /// A gauge whose name ends as only a counter's may.
    Unknown,
}

/// One value, or one histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Cow<'static, str>, Cow<'static, str>>,
    /// Of everything but a histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of a histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// How many there were of which size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds, ascending.
    pub bounds: Vec<f64>,
    /// One for each bound, of those above the one before; and one of those above the last.
    pub counts: Vec<u64>,
    /// Of all sizes together.
    pub sum: f64,
}
