//! The table for a terminal, and the same as JSON.

use crate::{Effort, machine::Machine, samples::Samples};
use serde_json::{Value, json};
use std::fmt;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

/// What the figures of a row are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Milliseconds,
    /// Differences of times.
    MoreMilliseconds,
    MebibytesPerSecond,
    Mebibytes,
    Ratio,
    /// How many did it, of how many.
    Of(u32),
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds | Self::MoreMilliseconds => "ms",
            Self::MebibytesPerSecond => "MiB/s",
            Self::Mebibytes => "MiB",
            Self::Ratio => "ratio",
            Self::Of(_) => "count",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => "–".to_owned(),
            Self::Milliseconds if value >= 100.0 => format!("{value:.0} ms"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::MoreMilliseconds => format!("{value:+.1} ms"),
            Self::MebibytesPerSecond => format!("{value:.0} MiB/s"),
            Self::Mebibytes => format!("{value:.2} MiB"),
            Self::Ratio => format!("{value:.2} ×"),
            Self::Of(all) => format!("{value:.0} of {all}"),
        }
    }

    fn show_bound(self, bound: f64) -> String {
        match self {
            Self::Milliseconds | Self::MoreMilliseconds => format!("{bound} ms"),
            Self::Mebibytes => format!("{bound} MiB"),
            Self::Ratio => format!("{bound} ×"),
            _ => self.show(bound),
        }
    }
}

struct Row {
    part: &'static str,
    name: String,
    unit: Unit,
    samples: Samples,
    target: Option<Target>,
}

impl Row {
    /// What one in a hundred is worse than.
    fn worst(&self) -> f64 {
        match (self.unit, self.target) {
            (Unit::MebibytesPerSecond | Unit::Of(_), _) | (_, Some(Target::AtLeast(_))) => self.samples.p1(),
            _ => self.samples.p99(),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.target.map(|target| target.holds(self.samples.median())) {
            Some(true) => "ok",
            Some(false) => "missed",
            None => "",
        }
    }
}

pub(crate) struct Report {
    effort: Effort,
    before: Machine,
    after: Option<Machine>,
    podspawn: String,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    pub(crate) fn new(effort: Effort) -> anyhow::Result<Self> {
        Ok(Self {
            effort,
            before: Machine::look()?,
            after: None,
            podspawn: String::new(),
            rows: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Adds a row; rows of one part stand together.
    pub(crate) fn row(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        unit: Unit,
        samples: Samples,
        target: Option<Target>,
    ) {
        self.rows.push(Row { part, name: name.into(), unit, samples, target });
    }

    /// Notes that something did not work, which no figure excuses.
    pub(crate) fn fail(&mut self, what: String) {
        eprintln!("perf: failed: {what}");
        self.failures.push(what);
    }

    pub(crate) fn worked(&self) -> bool {
        self.failures.is_empty()
    }

    /// Notes the machine's state at the end, and what was measured.
    pub(crate) fn finish(&mut self, podspawn: String) {
        self.podspawn = podspawn;
        self.after = Machine::look().ok();
    }

    pub(crate) fn json(&self) -> String {
        let target = |target: Option<Target>| match target {
            Some(Target::AtMost(bound)) => json!({ "at_most": bound }),
            Some(Target::AtLeast(bound)) => json!({ "at_least": bound }),
            None => Value::Null,
        };
        let rows = self.rows.iter().map(|row| {
            json!({
                "part": row.part,
                "name": row.name,
                "unit": row.unit.name(),
                "median": row.samples.median(),
                "p99": row.worst(),
                "target": target(row.target),
                "met": row.target.map(|target| target.holds(row.samples.median())),
                "samples": row.samples,
            })
        });
        let report = json!({
            "rounds": self.effort.rounds,
            "quick": self.effort.quick,
            "podspawn": self.podspawn,
            "machine": { "before": self.before, "after": self.after },
            "rows": rows.collect::<Vec<_>>(),
            "failures": self.failures,
        });
        format!("{report:#}\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\npodspawn {}\n{}", self.podspawn, self.before)?;
        if let Some(after) = &self.after {
            writeln!(
                f,
                "load at the end {}; figures are medians, one in a hundred is worse than p99, which of fewer is the worst",
                after.load()
            )?;
        }
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
        writeln!(f, "\n{:width$}   {:>5} {:>12} {:>12}   {:>12}", "", "n", "median", "p99", "target")?;
        let mut part = "";
        for row in &self.rows {
            if row.part != part {
                part = row.part;
                writeln!(f, "\n{part}")?;
            }
            let target = match row.target {
                Some(Target::AtMost(bound)) => format!("≤ {}", row.unit.show_bound(bound)),
                Some(Target::AtLeast(bound)) => format!("≥ {}", row.unit.show_bound(bound)),
                None => String::new(),
            };
            let (median, n) = (row.unit.show(row.samples.median()), row.samples.len());
            let p99 = if n > 1 { row.unit.show(row.worst()) } else { String::new() };
            let line = format!("  {:width$} {n:>5} {median:>12} {p99:>12}   {target:>12} {}", row.name, row.verdict());
            writeln!(f, "{}", line.trim_end())?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "\nfailed:")?;
            for failure in &self.failures {
                writeln!(f, "  {failure}")?;
            }
        }
        Ok(())
    }
}
