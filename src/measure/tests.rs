use super::*;
use crate::openmetrics::{Dialect, render};

fn text(measures: &Measures) -> String {
    render(&measures.families(), Dialect::Text)
}

#[test]
fn what_never_happened_is_zero_and_not_absent() {
    let text = text(&Measures::default());
    for line in [
        "podspawn_logins_total{outcome=\"denied\"} 0",
        "podspawn_login_duration_seconds_bucket{start=\"cold\",le=\"+Inf\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn what_happens_is_counted_where_it_belongs() {
    let measures = Measures::default();
    measures.count(&catalog::LOGINS, "ok");
    (0..3).for_each(|_| measures.count(&catalog::SWEPT, "network"));
    for millis in [3, 30, 200_000] {
        measures.time(&catalog::LOGIN_TIME, "warm", Duration::from_millis(millis));
    }
    let text = text(&measures);
    for line in [
        "podspawn_logins_total{outcome=\"ok\"} 1",
        "podspawn_cleanup_removed_total{kind=\"network\"} 3",
        "podspawn_login_duration_seconds_bucket{start=\"warm\",le=\"0.005\"} 1",
        "podspawn_login_duration_seconds_bucket{start=\"warm\",le=\"120.0\"} 2",
        "podspawn_login_duration_seconds_count{start=\"warm\"} 3",
        "podspawn_login_duration_seconds_sum{start=\"warm\"} 200.033",
        "podspawn_login_duration_seconds_count{start=\"cold\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn a_value_that_is_not_listed_makes_no_series() {
    let measures = Measures::default();
    let before = text(&measures);
    measures.count(&catalog::LOGINS, "alice");
    measures.time(&catalog::LOGIN_TIME, "alice", Duration::from_secs(1));
    assert_eq!(text(&measures), before);
}

#[test]
fn the_next_broker_goes_on_where_the_last_one_stopped() {
    let first = Measures::default();
    first.count(&catalog::CLEANUPS, "ok");
    first.time(&catalog::ENGINE_TIME, "pull", Duration::from_secs(2));
    first.last_cleanup.set(Some(1_700_000_000));
    let saved = first.families();
    // As it is written to a file and read again.
    let saved: Vec<Family> = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
    let second = Measures::default();
    second.resume(&saved);
    assert_eq!(text(&second), text(&first));
    assert_eq!(second.last_cleanup.get(), Some(1_700_000_000));
    second.count(&catalog::CLEANUPS, "ok");
    assert!(text(&second).contains("podspawn_cleanup_runs_total{result=\"ok\"} 2\n"));
}

#[test]
fn what_makes_no_sense_is_not_resumed() {
    let measures = Measures::default();
    let before = text(&measures);
    let mut families = measures.families();
    for sample in families.iter_mut().flat_map(|family| &mut family.samples) {
        sample.value = sample.value.map(|_| -1.0);
        if let Some(histogram) = &mut sample.histogram {
            histogram.bounds.pop();
            histogram.counts.fill(7);
        }
    }
    measures.resume(&families);
    assert_eq!(text(&measures), before);
}

#[test]
fn names_are_used_once_and_end_as_they_should() {
    let mut names: Vec<String> = catalog::names().collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(catalog::COUNTERS.iter().all(|counter| counter.name.ends_with("_total")));
    assert!(catalog::TIMERS.iter().all(|timer| timer.name.ends_with("_seconds")));
    assert!(catalog::TIMERS.iter().all(|timer| timer.bounds.is_sorted()));
    assert!(names.iter().all(|name| name.starts_with("podspawn_")));
}
