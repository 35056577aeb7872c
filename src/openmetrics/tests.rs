use super::*;
use std::collections::BTreeMap;

fn labels(
    pairs: &[(&'static str, &'static str)],
) -> BTreeMap<std::borrow::Cow<'static, str>, std::borrow::Cow<'static, str>> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn family(name: &'static str, kind: Kind, samples: Vec<Sample>) -> Family {
    Family { name: name.into(), help: "What it is".into(), kind, samples }
}

fn plain(value: f64) -> Vec<Sample> {
    vec![Sample { value: Some(value), ..Sample::default() }]
}

fn families() -> Vec<Family> {
    let histogram = Histogram { bounds: vec![0.1, 1.0], counts: vec![2, 1, 4], sum: 12.5 };
    vec![
        family("podspawn_sessions_total", Kind::Unknown, plain(3.0)),
        family("podspawn_sessions_running", Kind::Gauge, plain(2.0)),
        family(
            "podspawn_logins_total",
            Kind::Counter,
            vec![Sample { labels: labels(&[("outcome", "ok")]), value: Some(7.0), histogram: None }],
        ),
        family(
            "podspawn_login_duration_seconds",
            Kind::Histogram,
            vec![Sample { labels: labels(&[("start", "cold")]), value: None, histogram: Some(histogram) }],
        ),
        family("podspawn_nothing", Kind::Gauge, Vec::new()),
    ]
}

#[test]
fn the_text_format_is_written_as_documented() {
    assert_eq!(
        render(&families(), Dialect::Text),
        "# HELP podspawn_sessions_total What it is\n\
         # TYPE podspawn_sessions_total untyped\n\
         podspawn_sessions_total 3\n\
         # HELP podspawn_sessions_running What it is\n\
         # TYPE podspawn_sessions_running gauge\n\
         podspawn_sessions_running 2\n\
         # HELP podspawn_logins_total What it is\n\
         # TYPE podspawn_logins_total counter\n\
         podspawn_logins_total{outcome=\"ok\"} 7\n\
         # HELP podspawn_login_duration_seconds What it is\n\
         # TYPE podspawn_login_duration_seconds histogram\n\
         podspawn_login_duration_seconds_bucket{start=\"cold\",le=\"0.1\"} 2\n\
         podspawn_login_duration_seconds_bucket{start=\"cold\",le=\"1.0\"} 3\n\
         podspawn_login_duration_seconds_bucket{start=\"cold\",le=\"+Inf\"} 7\n\
         podspawn_login_duration_seconds_sum{start=\"cold\"} 12.5\n\
         podspawn_login_duration_seconds_count{start=\"cold\"} 7\n"
    );
}

#[test]
fn openmetrics_has_the_same_samples_under_its_own_types_and_says_where_it_ends() {
    let (text, open) = (render(&families(), Dialect::Text), render(&families(), Dialect::OpenMetrics));
    let samples =
        |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(samples(&text), samples(&open));
    for line in [
        "# TYPE podspawn_sessions_total unknown",
        "# TYPE podspawn_logins counter",
        "# HELP podspawn_logins What it is",
    ] {
        assert!(open.lines().any(|found| found == line), "{line}: {open}");
    }
    assert!(open.ends_with("\n# EOF\n") && !text.contains("EOF"));
}

#[test]
fn nothing_in_a_value_a_label_or_a_help_text_can_forge_a_line() {
    let sample = Sample {
        labels: labels(&[("of", "a\"} 1\nforged 2\\"), ("no name", "x")]),
        value: Some(f64::NAN),
        histogram: None,
    };
    let mut forged = family("ok", Kind::Gauge, vec![sample]);
    forged.help = "one\nforged 3".into();
    for dialect in [Dialect::Text, Dialect::OpenMetrics] {
        let text = render(&[forged.clone(), family("no name", Kind::Gauge, plain(1.0))], dialect);
        assert!(!text.lines().any(|line| line.starts_with("forged") || line.contains("no name")), "{text}");
        assert!(text.contains("ok{of=\"a\\\"} 1\\nforged 2\\\\\"} NaN"), "{text}");
    }
}

#[test]
fn a_client_gets_the_dialect_that_it_prefers() {
    // As Prometheus 2.42 and 3 say it.
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, dialect) in [
        (prometheus, Dialect::OpenMetrics),
        ("", Dialect::Text),
        ("*/*", Dialect::Text),
        ("text/plain", Dialect::Text),
        ("text/html, text/plain;q=0.9", Dialect::Text),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.5", Dialect::Text),
        ("Application/OpenMetrics-Text; version=1.0.0; q=0.5, text/plain; q=0.5", Dialect::OpenMetrics),
        ("application/openmetrics-text;q=0", Dialect::Text),
        ("application/openmetrics-text;q=x", Dialect::Text),
    ] {
        assert_eq!(Dialect::accepted(accept), dialect, "{accept}");
    }
}
