//! What the broker counts and times: plain cells of a single thread, so that counting costs a login nothing.
//!
//! Every counter has one label at most, whose values are listed where it is defined: nothing that a user sends can make
//! another series, and no series has a user's name. Gauges (sessions, memory, disks) are not kept here but computed at
//! each scrape.

pub mod catalog;

use crate::protocol::measurements::{Family, Histogram, Kind, Sample};
use catalog::{COUNTERS, Counter, TIMERS, Timer};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// Everything that is counted and timed.
pub struct Measures {
    counters: Vec<Vec<Cell<u64>>>,
    timers: Vec<Vec<RefCell<Times>>>,
    /// When a pass of the cleanup last came to its end, in Unix seconds.
    pub last_cleanup: Cell<Option<i64>>,
}

#[derive(Clone)]
struct Times {
    counts: Vec<u64>,
    sum: f64,
}

impl Default for Measures {
    /// Everything is 0, and is shown as such: a counter at 0 is not an absent one.
    fn default() -> Self {
        let times = |timer: &Timer| RefCell::new(Times { counts: vec![0; timer.bounds.len() + 1], sum: 0.0 });
        Self {
            counters: COUNTERS.iter().map(|counter| counter.values.iter().map(|_| Cell::new(0)).collect()).collect(),
            timers: TIMERS.iter().map(|timer| timer.values.iter().map(|_| times(timer)).collect()).collect(),
            last_cleanup: Cell::default(),
        }
    }
}

impl Measures {
    /// Counts one. A value that the catalog does not list is not counted.
    pub fn count(&self, counter: &Counter, value: &str) {
        let cell = place(COUNTERS.iter().map(|one| (one.name, one.values)), counter.name, value)
            .and_then(|(family, at)| self.counters.get(family)?.get(at));
        if let Some(cell) = cell {
            cell.set(cell.get().saturating_add(1));
        }
    }

    /// Counts something that took so long.
    pub fn time(&self, timer: &Timer, value: &str, took: Duration) {
        let place = place(TIMERS.iter().map(|one| (one.name, one.values)), timer.name, value);
        let Some(cell) = place.and_then(|(family, at)| self.timers.get(family)?.get(at)) else { return };
        let mut past = cell.borrow_mut();
        let seconds = took.as_secs_f64();
        past.sum += seconds;
        let at = timer.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(timer.bounds.len());
        if let Some(count) = past.counts.get_mut(at) {
            *count += 1;
        }
    }

    /// Everything, to be shown.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let counters = COUNTERS.iter().zip(&self.counters).map(|(counter, cells)| {
            let samples = counter.values.iter().zip(cells);
            let samples = samples.map(|(value, cell)| Sample {
                labels: labels(counter.label, value),
                value: Some(crate::openmetrics::float(cell.get())),
                histogram: None,
            });
            family(counter.name, counter.help, Kind::Counter, samples.collect())
        });
        let timers = TIMERS.iter().zip(&self.timers).map(|(timer, cells)| {
            let samples = timer.values.iter().zip(cells).map(|(value, times)| {
                let Times { counts, sum } = times.borrow().clone();
                let histogram = Histogram { bounds: timer.bounds.to_vec(), counts, sum };
                Sample { labels: labels(timer.label, value), value: None, histogram: Some(histogram) }
            });
            family(timer.name, timer.help, Kind::Histogram, samples.collect())
        });
        // Before the first cleanup there is no time to show.
        let cleanup = self.last_cleanup.get().map(|moment| gauge(&catalog::LAST_CLEANUP, seconds(moment)));
        cleanup.into_iter().chain(counters).chain(timers).collect()
    }

    /// Goes on from what an earlier broker counted. What it does not know, or counted otherwise, begins at 0.
    pub fn resume(&self, families: &[Family]) {
        let find = |name: &str, label: &str, value: &str| {
            let family = families.iter().find(|family| family.name == name)?;
            family.samples.iter().find(|sample| sample.labels == labels(label, value))
        };
        for (counter, cells) in COUNTERS.iter().zip(&self.counters) {
            for (value, cell) in counter.values.iter().zip(cells) {
                let before = find(counter.name, counter.label, value).and_then(|sample| sample.value);
                cell.set(cell.get().saturating_add(before.map_or(0, whole)));
            }
        }
        for (timer, cells) in TIMERS.iter().zip(&self.timers) {
            for (value, cell) in timer.values.iter().zip(cells) {
                let before = find(timer.name, timer.label, value).and_then(|sample| sample.histogram.as_ref());
                let same = |before: &&Histogram| {
                    before.bounds == timer.bounds && before.counts.len() == timer.bounds.len() + 1 && before.sum >= 0.0
                };
                if let Some(before) = before.filter(same) {
                    let mut times = cell.borrow_mut();
                    times.sum += before.sum;
                    times.counts.iter_mut().zip(&before.counts).for_each(|(count, more)| *count += more);
                }
            }
        }
        if self.last_cleanup.get().is_none() {
            let family = families.iter().find(|family| family.name == catalog::LAST_CLEANUP.name);
            let value = family.and_then(|family| family.samples.first()?.value);
            self.last_cleanup.set(value.and_then(|value| i64::try_from(whole(value)).ok()));
        }
    }
}

/// What is so or not, as a gauge has it.
#[must_use]
pub const fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// A moment in Unix seconds, as a gauge has it.
#[must_use]
#[allow(clippy::cast_precision_loss)] // not for some million years
pub const fn seconds(moment: i64) -> f64 {
    moment as f64
}

/// A gauge without labels.
#[must_use]
pub fn gauge(of: &catalog::Gauge, value: f64) -> Family {
    gauges(of, [("", value)])
}

/// A gauge by the value of its label.
#[must_use]
pub fn gauges<V: Into<std::borrow::Cow<'static, str>>>(
    of: &catalog::Gauge,
    values: impl IntoIterator<Item = (V, f64)>,
) -> Family {
    let samples = values.into_iter().map(|(value, number)| {
        let value = value.into();
        let labels = if of.label.is_empty() { BTreeMap::new() } else { BTreeMap::from([(of.label.into(), value)]) };
        Sample { labels, value: Some(number), histogram: None }
    });
    // Only a counter's name ends so; see `openmetrics`.
    let kind = if of.name.ends_with("_total") { Kind::Unknown } else { Kind::Gauge };
    family(of.name, of.help, kind, samples.collect())
}

fn family(name: &'static str, help: &'static str, kind: Kind, samples: Vec<Sample>) -> Family {
    Family { name: name.into(), help: help.into(), kind, samples }
}

fn labels<'a>(
    label: &'a str,
    value: &'a str,
) -> BTreeMap<std::borrow::Cow<'static, str>, std::borrow::Cow<'static, str>> {
    if label.is_empty() {
        return BTreeMap::new();
    }
    BTreeMap::from([(label.to_owned().into(), value.to_owned().into())])
}

/// Where the value of a family's label is.
fn place<'a>(
    mut families: impl Iterator<Item = (&'a str, &'a [&'a str])>,
    name: &str,
    value: &str,
) -> Option<(usize, usize)> {
    let (family, values) =
        families.by_ref().enumerate().find_map(|(at, (one, values))| (one == name).then_some((at, values)))?;
    Some((family, values.iter().position(|one| *one == value)?))
}

/// What was a whole number before it was written as a float.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both ends are checked
fn whole(value: f64) -> u64 {
    if (0.0..9.0e15).contains(&value) { value as u64 } else { 0 }
}

#[cfg(test)]
mod tests;
