//! `metrics`: the metrics socket answers scrapes, and `node_exporter`'s file is written, if their units are enabled.

use super::{Check, Group, Host, Problem, Report, host::Units};
use crate::sys::systemd::Unit;
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "metrics",
    group: Group::Services,
    passes_if: "the metrics socket answers scrapes, and node_exporter's file is written, if their units are enabled",
    problems: &[INACTIVE, FAILED, NO_ANSWER],
    needs_root: false,
    run,
};
const INACTIVE: Problem = Problem::warn("a unit that is enabled is not active", "`systemctl restart {unit}`");
const FAILED: Problem =
    Problem::warn("a service failed", "`journalctl -u {service} -n 50; systemctl restart {service}`");
const NO_ANSWER: Problem = Problem::warn(
    "the service does not answer, or its answer has no metrics of podspawn",
    "`journalctl -u podspawn-metrics -n 50; systemctl restart podspawn-metrics.socket`",
);

/// The service's socket for administrators, whose connections are not limited by those of the other one.
const SOCKET: &str = "/run/podspawn/metrics.sock";
/// How long the service may take to answer; it gives the broker eight seconds.
const ANSWER: Duration = Duration::from_secs(9);
/// Most of an answer that is read, in bytes; podspawn's metrics are some 40 KiB.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

fn run(host: &Host) -> Report {
    match host.units() {
        Ok(units) => judge(units, || ask(Path::new(SOCKET))),
        Err(why) => CHECK.unknown(why, ""),
    }
}

/// A unit that starts a service.
struct Pair {
    starter: &'static str,
    service: &'static str,
}

const SCRAPES: Pair = Pair { starter: "podspawn-metrics.socket", service: "podspawn-metrics" };
const TEXTFILE: Pair = Pair { starter: "podspawn-textfile.timer", service: "podspawn-textfile" };

/// `ask` returns the answer to a scrape.
fn judge(units: &Units, ask: impl FnOnce() -> io::Result<String>) -> Report {
    let [is_served, is_written] = [&SCRAPES, &TEXTFILE].map(|pair| is_wanted(&units.get(pair.starter)));
    if !is_served && !is_written {
        return CHECK.pass("they are off: neither podspawn-metrics.socket nor podspawn-textfile.timer is enabled");
    }
    let mut problems = Vec::new();
    for (pair, _) in [(&SCRAPES, is_served), (&TEXTFILE, is_written)].into_iter().filter(|(_, wanted)| *wanted) {
        let Pair { starter, service } = pair;
        if !units.get(starter).is_active() {
            problems.push(CHECK.report(&INACTIVE, format!("{starter} does not run"), &[("unit", starter)]));
        }
        if let Some(failure) = units.get(&format!("{service}.service")).failure() {
            problems.push(CHECK.report(&FAILED, format!("{service} failed ({failure})"), &[("service", service)]));
        }
    }
    if problems.is_empty() && is_served {
        problems.extend(answer(ask()));
    }
    let good = [
        is_served.then_some("the metrics socket answers scrapes"),
        is_written.then_some("node_exporter's file is written"),
    ];
    CHECK.merge(problems, good.into_iter().flatten().collect::<Vec<_>>().join(", and "))
}

/// Whether it runs, or is to run.
fn is_wanted(unit: &Unit) -> bool {
    unit.is_active() || unit.property("UnitFileState").starts_with("enabled")
}

fn answer(answer: io::Result<String>) -> Option<Report> {
    let seen = match answer {
        // The socket may have a network address only, and this one is not for all users.
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied].contains(&error.kind()) => {
            return None;
        }
        Err(error) => format!("podspawn-metrics does not answer: {error}"),
        Ok(text) if !text.starts_with("HTTP/1.0 200") && !text.starts_with("HTTP/1.1 200") => {
            let first: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
            format!("podspawn-metrics answers {first:?}")
        }
        // Whether podspawn is up is the concern of other checks.
        Ok(text) if text.lines().any(|line| line.starts_with("podspawn_up ")) => return None,
        Ok(_) => "the answer of podspawn-metrics has no metric of podspawn".to_owned(),
    };
    Some(CHECK.report(&NO_ANSWER, seen, &[]))
}

/// A scrape, as Prometheus sends it.
fn ask(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    const OFF: &str = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nResult=success";
    const ON: &str = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nResult=success";
    const GOOD: &str = "HTTP/1.0 200 OK\r\n\r\n# HELP podspawn_up x\npodspawn_up 1\n";

    /// The report where the socket, its service, the timer, and its service are in these states.
    fn report(states: [&str; 4], answer: io::Result<&str>) -> Report {
        let [socket, service, timer, textfile] = states;
        let units = Units::parse_for_test(&[
            ("podspawn-metrics.socket", socket),
            ("podspawn-metrics.service", service),
            ("podspawn-textfile.timer", timer),
            ("podspawn-textfile.service", textfile),
        ]);
        judge(&units, || answer.map(str::to_owned))
    }

    #[test]
    fn metrics_that_are_off_pass() {
        let off = report([OFF; 4], Err(io::ErrorKind::NotFound.into()));
        assert!(off.outcome == Outcome::Pass && off.seen.starts_with("they are off"), "{off:?}");
        let absent = report(["LoadState=not-found\nActiveState=inactive"; 4], Ok(GOOD));
        assert_eq!(absent.outcome, Outcome::Pass);
    }

    #[test]
    fn a_service_that_is_on_and_does_not_answer_is_a_warning() {
        let of = |answer| report([ON, OFF, OFF, OFF], answer);
        assert_eq!(
            (of(Ok(GOOD)).outcome, report([ON, OFF, ON, OFF], Ok(GOOD)).outcome),
            (Outcome::Pass, Outcome::Pass)
        );
        assert!(report([ON, OFF, ON, OFF], Ok(GOOD)).seen.contains("node_exporter's file"));
        assert_eq!(of(Err(io::ErrorKind::PermissionDenied.into())).outcome, Outcome::Pass);
        for (answer, part) in [
            (Err(io::ErrorKind::ConnectionRefused.into()), "does not answer"),
            (Ok("HTTP/1.0 503 Service Unavailable\r\n\r\n"), "503"),
            (Ok("HTTP/1.0 200 OK\r\n\r\nnode_boot_time 1\n"), "no metric of podspawn"),
        ] {
            let report = of(answer);
            assert!(
                report.outcome == Outcome::Warn && report.seen.contains(part) && !report.remedy.is_empty(),
                "{report:?}"
            );
        }
    }

    #[test]
    fn a_unit_that_should_run_or_failed_is_named() {
        let stopped = ON.replace("ActiveState=active", "ActiveState=inactive");
        let failed = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=1";
        let socket = report([&stopped, OFF, OFF, OFF], Ok(GOOD));
        assert!(
            socket.outcome == Outcome::Warn && socket.remedy == "systemctl restart podspawn-metrics.socket",
            "{socket:?}"
        );
        let service = report([ON, failed, OFF, OFF], Ok(GOOD));
        assert_eq!(service.seen, "podspawn-metrics failed (exit-code, 1)");
        assert!(report([OFF, OFF, ON, failed], Ok(GOOD)).seen.contains("podspawn-textfile failed"));
        // A failure of a service that is not wanted any more does not matter.
        assert_eq!(report([OFF, failed, OFF, OFF], Ok(GOOD)).outcome, Outcome::Pass);
    }
}
