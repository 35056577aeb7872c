//! The page of metrics, from the catalog of the measurements.

use crate::measure::catalog::{COUNTERS, GAUGES, TIMERS};
use std::fmt::Write as _;

/// Every metric: name, type, label with its values, meaning.
pub(super) fn reference() -> String {
    let mut page = String::new();
    let mut section = |kind: &str, name: &str, help: &str, label: &str, values: &[&str]| {
        let _ = write!(page, "### `{name}`\n\n{help}.\n\n- Type: {kind}\n");
        if !label.is_empty() {
            let values: Vec<String> =
                values.iter().filter(|value| !value.is_empty()).map(|value| format!("`{value}`")).collect();
            let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
            let _ = writeln!(page, "- Label `{label}`{values}");
        }
        page.push('\n');
    };
    for gauge in GAUGES {
        // A gauge whose name ends as a counter's does is served without a type: see `openmetrics`.
        let kind = if gauge.name.ends_with("_total") { "untyped; the value is a gauge's" } else { "gauge" };
        section(kind, gauge.name, gauge.help, gauge.label, &[]);
    }
    for counter in COUNTERS {
        section("counter", counter.name, counter.help, counter.label, counter.values);
    }
    for timer in TIMERS {
        section("histogram, in seconds", timer.name, timer.help, timer.label, timer.values);
    }
    page
}
