//! Every check, side by side and each within its time: what hangs is unknown, and nobody waits for it.

use super::{
    CHECKS, Host, Report, configuration, confined, container_engine, entrance, installed, kernel, lookup, measured,
    people, records, room, saved, services, state, surroundings, user_ids,
};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// Checks that look at one thing together.
struct Group {
    checks: &'static [&'static str],
    /// Whether only root sees what they look at.
    root: bool,
    look: fn(&Host) -> Vec<Report>,
}

const fn roots(checks: &'static [&'static str], look: fn(&Host) -> Vec<Report>) -> Group {
    Group { checks, root: true, look }
}

const fn anybodys(checks: &'static [&'static str], look: fn(&Host) -> Vec<Report>) -> Group {
    Group { checks, root: false, look }
}

const GROUPS: &[Group] = &[
    anybodys(&["sshd-version"], entrance::version),
    roots(&["sshd-config", "sshd-users", "sshd-startups"], entrance::configuration),
    roots(&["sshd-running", "sshd-reload"], entrance::running),
    roots(&["ways-in"], entrance::ways_in),
    roots(&["sshd-binary", "broker-version"], installed::look),
    roots(&["accounts", "directories", "accounts-open", "engine-access"], people::look),
    roots(&["account-shells"], people::shells),
    roots(&["accounts-confined"], confined::look),
    roots(&["key-lookup", "key-files"], lookup::look),
    anybodys(&["config"], configuration::look),
    anybodys(&["broker-socket", "units", "cleanup-timer", "cleanup-last", "backup-timer"], services::look),
    anybodys(&["broker"], services::broker),
    anybodys(
        &[
            "engine",
            "engine-isolation",
            "engine-runtime",
            "engine-limits",
            "guest-channel",
            "images",
            "orphans",
            "network-pool",
        ],
        container_engine::look,
    ),
    anybodys(&["user-ids"], user_ids::look),
    anybodys(&["disk", "inodes"], room::disks),
    roots(&["memory"], room::memory),
    anybodys(&["kernel-limits"], kernel::look),
    roots(&["state-db"], state::database),
    roots(&["lock-directory"], state::lock_directory),
    anybodys(&["homes"], state::homes),
    anybodys(&["log-file", "audit-log"], records::logs),
    anybodys(&["journal", "logrotate"], records::keeping),
    roots(&["backup-last"], saved::look),
    anybodys(&["metrics"], measured::look),
    anybodys(&["clock", "immutable"], surroundings::look),
];

/// The line of every check, in the order of [`CHECKS`].
#[must_use]
pub fn examine(host: Host) -> Vec<Report> {
    let host = Arc::new(host);
    let end = Instant::now() + PATIENCE;
    let (tell, told) = mpsc::channel();
    for group in GROUPS.iter().filter(|group| host.root || !group.root) {
        let (host, tell) = (Arc::clone(&host), tell.clone());
        // One that hangs ends with the process.
        let started = thread::Builder::new().name(group.checks[0].to_owned()).spawn(move || {
            // Whoever listened may have given up.
            let _ = tell.send((group.look)(&host));
        });
        drop(started);
    }
    drop(tell);
    let mut reports: Vec<Report> = Vec::new();
    while let Ok(more) = told.recv_timeout(end.saturating_duration_since(Instant::now())) {
        reports.extend(more);
    }
    let reports = in_order(reports, host.root);
    if host.is_declared { reports.into_iter().map(Report::declared).collect() } else { reports }
}

/// One line for each check; those that said nothing are unknown.
fn in_order(mut reports: Vec<Report>, root: bool) -> Vec<Report> {
    let silent = |check| {
        let is_roots = GROUPS.iter().any(|group| group.root && group.checks.contains(&check));
        if is_roots && !root {
            Report::unknown(check, "only root can look", "sudo podspawn doctor")
        } else {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            Report::unknown(check, why, "look for a file system or a service that hangs: journalctl -b -p warning")
        }
    };
    CHECKS
        .iter()
        .map(|check| match reports.iter().position(|report| report.check == check.name) {
            Some(place) => reports.swap_remove(place),
            None => silent(check.name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_is_looked_at_by_one_group_and_described_once() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|group| group.checks.iter().copied()).collect();
        let described: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(set(&grouped), set(&described));
        assert_eq!((grouped.len(), described.len()), (set(&grouped).len(), set(&described).len()));
        for name in described {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        }
    }

    #[test]
    fn what_said_nothing_is_unknown_and_never_passes() {
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
