//! Measurements as Prometheus reads them: the text format 0.0.4, and `OpenMetrics` 1.0.
//!
//! Both are made of the same families, so that a server that negotiates gets the same series as one that does not. That is
//! also why bounds are written as `1.0`, as `OpenMetrics` wants them.
//!
//! What operators know as the gauges `podspawn_sessions_total` and `podspawn_connections_total` ends as a counter's name does.
//! As gauges promtool finds fault with them, and a reader of `OpenMetrics` may take them for counters. So their type is left open
//! (`untyped`, `unknown`), which every reader accepts, and which does not show in queries.

use crate::protocol::measurements::{Family, Histogram, Kind, Sample};
use std::fmt::Write as _;

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The text format 0.0.4, which everything reads.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Dialect {
    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The dialect for a client that sent this `Accept`: `OpenMetrics` if it is preferred no less than text.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let liking = |wanted: &[&str]| {
            accept
                .split(',')
                .filter_map(|range| {
                    let mut parts = range.split(';').map(str::trim);
                    let name = parts.next()?.to_ascii_lowercase();
                    if !wanted.contains(&name.as_str()) {
                        return None;
                    }
                    let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
                    quality.ok().filter(|quality| (0.0..=1.0).contains(quality))
                })
                .fold(0.0_f32, f32::max)
        };
        let openmetrics = liking(&["application/openmetrics-text"]);
        if openmetrics > 0.0 && openmetrics >= liking(&["text/plain", "text/*"]) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// The families as text. What has no proper name is left out: one bad line would cost the reader all of them.
#[must_use]
pub fn render(families: &[Family], dialect: Dialect) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in families.iter().filter(|family| is_name(&family.name) && !family.samples.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write_family(&mut text, family, dialect);
    }
    if dialect == Dialect::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_family(text: &mut String, family: &Family, dialect: Dialect) -> std::fmt::Result {
    let (name, help) = (family.name.as_ref(), escaped(&family.help, dialect == Dialect::OpenMetrics));
    let (of_family, kind) = match (family.kind, dialect) {
        // In `OpenMetrics` the suffix is the sample's.
        (Kind::Counter, Dialect::OpenMetrics) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
        (Kind::Counter, Dialect::Text) => (name, "counter"),
        (Kind::Gauge, _) => (name, "gauge"),
        (Kind::Histogram, _) => (name, "histogram"),
        (Kind::Unknown, Dialect::OpenMetrics) => (name, "unknown"),
        (Kind::Unknown, Dialect::Text) => (name, "untyped"),
    };
    writeln!(text, "# HELP {of_family} {help}\n# TYPE {of_family} {kind}")?;
    for sample in &family.samples {
        match (&sample.histogram, sample.value) {
            (Some(histogram), _) => write_histogram(text, name, sample, histogram)?,
            (None, Some(value)) => write_line(text, name, "", sample, None, value)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn write_histogram(text: &mut String, name: &str, sample: &Sample, histogram: &Histogram) -> std::fmt::Result {
    let mut count = 0;
    let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
    for (bound, of_it) in bounds.zip(&histogram.counts) {
        count += of_it;
        write_line(text, name, "_bucket", sample, Some(bound), float(count))?;
    }
    write_line(text, name, "_sum", sample, None, histogram.sum)?;
    write_line(text, name, "_count", sample, None, float(count))
}

/// Counts fit: 2^53 logins are more than there will be.
#[allow(clippy::cast_precision_loss)]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

fn write_line(
    text: &mut String,
    name: &str,
    suffix: &str,
    sample: &Sample,
    bound: Option<f64>,
    value: f64,
) -> std::fmt::Result {
    write!(text, "{name}{suffix}")?;
    let labels = sample.labels.iter().filter(|(label, _)| is_name(label) && !label.contains(':'));
    let labels = labels.map(|(label, value)| format!("{label}=\"{}\"", escaped(value, true)));
    let labels: Vec<String> = labels.chain(bound.map(|bound| format!("le=\"{}\"", with_point(bound)))).collect();
    if !labels.is_empty() {
        write!(text, "{{{}}}", labels.join(","))?;
    }
    writeln!(text, " {}", number(value))
}

/// A metric's or a label's name.
fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

fn with_point(bound: f64) -> String {
    let text = number(bound);
    if bound.is_finite() && !text.contains('.') { text + ".0" } else { text }
}

#[cfg(test)]
mod tests;
