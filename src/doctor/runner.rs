//! Runs every check, all at once and each within its time: what hangs is unknown.

use super::{CHECKS, Check, Host, Report};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long all checks may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// The report of every check, in the order of [`CHECKS`].
#[must_use]
pub fn examine(host: Host) -> Vec<Report> {
    let host = Arc::new(host);
    let end = Instant::now() + PATIENCE;
    let (sender, receiver) = mpsc::channel();
    for check in CHECKS.iter().copied().filter(|check| host.root || !check.needs_root) {
        let (host, sender) = (Arc::clone(&host), sender.clone());
        // A thread that hangs ends with the process.
        let started = thread::Builder::new().name(check.name.to_owned()).spawn(move || {
            // The receiver is gone if the time is over.
            let _ = sender.send((check.run)(&host));
        });
        drop(started);
    }
    drop(sender);
    let mut reports = Vec::new();
    while let Ok(report) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        reports.push(report);
    }
    let reports = in_order(reports, host.root);
    if host.is_declared { reports.into_iter().map(Report::declared).collect() } else { reports }
}

/// One report for each check; a check without one is unknown.
fn in_order(mut reports: Vec<Report>, root: bool) -> Vec<Report> {
    let missing = |check: &Check| {
        if check.needs_root && !root {
            check.unknown("only root can look", "sudo podspawn doctor")
        } else {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            check.unknown(why, "look for a file system or a service that hangs: journalctl -b -p warning")
        }
    };
    CHECKS
        .iter()
        .map(|check| match reports.iter().position(|report| report.check == check.name) {
            Some(place) => reports.swap_remove(place),
            None => missing(check),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_check_without_an_answer_is_unknown_and_never_passes() {
        let reports = in_order(vec![Report::pass("clock", "it is right")], false);
        assert_eq!(reports.len(), CHECKS.len());
        for report in &reports {
            let (outcome, words) = match report.check {
                "clock" => (Outcome::Pass, "it is right"),
                "state-db" => (Outcome::Warn, "unknown: only root can look"),
                "disk" => (Outcome::Warn, "unknown: no answer within"),
                _ => (Outcome::Warn, "unknown: "),
            };
            assert!(report.outcome == outcome && report.seen.contains(words), "{report:?}");
        }
    }
}
