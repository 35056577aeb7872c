//! Figures of one thing, and their summary.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Measured values, in the order of measuring.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Notes a duration, in milliseconds.
    pub(crate) fn push_time(&mut self, time: Duration) {
        self.push(time.as_secs_f64() * 1e3);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
            (Some(low), Some(high)) => f64::midpoint(*low, *high),
            _ => f64::NAN,
        }
    }

    /// The value that one in a hundred exceeds; of fewer than a hundred, the largest.
    pub(crate) fn p99(&self) -> f64 {
        let sorted = self.sorted();
        let beyond = sorted.len() / 100;
        sorted.iter().rev().nth(beyond).copied().unwrap_or(f64::NAN)
    }

    /// As [`Self::p99`] for what should be large: the value that one in a hundred does not reach.
    pub(crate) fn p1(&self) -> f64 {
        self.sorted().get(self.0.len() / 100).copied().unwrap_or(f64::NAN)
    }

    /// What `combine` makes of the values that were measured in the same rounds: drift of the machine cancels out.
    pub(crate) fn pairs(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| combine(*a, *b)).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}
