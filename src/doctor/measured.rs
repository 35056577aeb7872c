//! Whether what is measured can be had: from the service that Prometheus asks, and from the file for `node_exporter`.

use super::{Finding, Host, Report, host::SYSTEMD};
use crate::sys::systemd::{self, Unit};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

const CHECK: &str = "metrics";
const UNITS: [&str; 4] =
    ["podspawn-metrics.socket", "podspawn-metrics.service", "podspawn-textfile.timer", "podspawn-textfile.service"];
const PROPERTIES: [&str; 5] = ["LoadState", "ActiveState", "UnitFileState", "Result", "ExecMainStatus"];
/// The socket of the service that is for administrators, whatever crowd there is on the other.
const SOCKET: &str = "/run/podspawn/metrics.sock";
/// How long the service may take to say something; it gives the broker eight seconds.
const ANSWER: Duration = Duration::from_secs(9);
/// Most of an answer that is read, in bytes; all that podspawn has to tell is some 40 KiB.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// `metrics`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let Some(systemctl) = &host.systemctl else {
        return vec![Report::unknown(CHECK, "systemd does not run this host", "")];
    };
    vec![match systemd::show(systemctl, &UNITS, &PROPERTIES, SYSTEMD) {
        Ok(units) => judge(&units, || ask(Path::new(SOCKET))),
        Err(error) => Report::unknown(CHECK, error, ""),
    }]
}

/// `ask` gives what the service answers.
fn judge(units: &[Unit], ask: impl FnOnce() -> io::Result<String>) -> Report {
    let [socket, service, timer, file] = units else { return Report::unknown(CHECK, "systemd tells too little", "") };
    let (is_served, is_written) = (is_wanted(socket), is_wanted(timer));
    if !is_served && !is_written {
        return Report::pass(
            CHECK,
            "they are off: neither podspawn-metrics.socket nor podspawn-textfile.timer is enabled",
        );
    }
    let mut findings = Vec::new();
    let pairs = [
        (is_served, socket, UNITS[0], service, "podspawn-metrics"),
        (is_written, timer, UNITS[2], file, "podspawn-textfile"),
    ];
    for (_, starter, starts, started, name) in pairs.into_iter().filter(|(is_wanted, ..)| *is_wanted) {
        if !starter.is_active() {
            findings.push(Finding::notable(format!("{starts} does not run"), format!("systemctl restart {starts}")));
        }
        if let Some(failure) = started.failure() {
            let what = format!("{name} failed ({failure})");
            findings.push(Finding::notable(what, format!("journalctl -u {name} -n 50; systemctl restart {name}")));
        }
    }
    if findings.is_empty() && is_served {
        findings.extend(answer(ask()));
    }
    let told: Vec<&str> =
        [is_served.then_some("they are told on request"), is_written.then_some("node_exporter's file is written")]
            .into_iter()
            .flatten()
            .collect();
    Report::of(CHECK, findings, told.join(", and "))
}

/// Whether it runs, or is to run.
fn is_wanted(unit: &Unit) -> bool {
    unit.is_active() || unit.property("UnitFileState").starts_with("enabled")
}

fn answer(said: io::Result<String>) -> Option<Finding> {
    const REMEDY: &str = "journalctl -u podspawn-metrics -n 50; systemctl restart podspawn-metrics.socket";
    match said {
        // The socket may be one of an address alone, and it is not for everybody.
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied].contains(&error.kind()) => None,
        Err(error) => Some(Finding::notable(format!("podspawn-metrics does not answer: {error}"), REMEDY)),
        Ok(text) if !text.starts_with("HTTP/1.0 200") && !text.starts_with("HTTP/1.1 200") => {
            let first: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
            Some(Finding::notable(format!("podspawn-metrics answers {first:?}"), REMEDY))
        }
        // Whether podspawn is up is for others to say.
        Ok(text) if !text.lines().any(|line| line.starts_with("podspawn_up ")) => {
            Some(Finding::notable("what podspawn-metrics answers is none of podspawn's", REMEDY))
        }
        Ok(_) => None,
    }
}

/// One question as Prometheus asks it.
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

    fn told(units: [&str; 4], answer: io::Result<&str>) -> Report {
        judge(&units.map(Unit::parse_for_test), || answer.map(str::to_owned))
    }

    #[test]
    fn what_is_off_is_nobodys_loss() {
        let off = told([OFF; 4], Err(io::ErrorKind::NotFound.into()));
        assert!(off.outcome == Outcome::Pass && off.seen.starts_with("they are off"), "{off:?}");
        let absent = told(["LoadState=not-found\nActiveState=inactive"; 4], Ok(GOOD));
        assert_eq!(absent.outcome, Outcome::Pass);
    }

    #[test]
    fn what_is_on_answers_or_it_is_worth_a_word() {
        let of = |answer| told([ON, OFF, OFF, OFF], answer);
        assert_eq!(of(Ok(GOOD)).seen, "they are told on request");
        assert_eq!(
            told([ON, OFF, ON, OFF], Ok(GOOD)).seen,
            "they are told on request, and node_exporter's file is written"
        );
        assert_eq!(of(Err(io::ErrorKind::PermissionDenied.into())).outcome, Outcome::Pass);
        for (answer, says) in [
            (Err(io::ErrorKind::ConnectionRefused.into()), "does not answer"),
            (Ok("HTTP/1.0 503 Service Unavailable\r\n\r\n"), "503"),
            (Ok("HTTP/1.0 200 OK\r\n\r\nnode_boot_time 1\n"), "none of podspawn's"),
        ] {
            let report = of(answer);
            assert!(
                report.outcome == Outcome::Warn && report.seen.contains(says) && !report.remedy.is_empty(),
                "{report:?}"
            );
        }
    }

    #[test]
    fn a_unit_that_should_run_or_failed_is_named() {
        let stopped = ON.replace("ActiveState=active", "ActiveState=inactive");
        let failed = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=1";
        let socket = told([&stopped, OFF, OFF, OFF], Ok(GOOD));
        assert!(
            socket.outcome == Outcome::Warn && socket.remedy == "systemctl restart podspawn-metrics.socket",
            "{socket:?}"
        );
        let service = told([ON, failed, OFF, OFF], Ok(GOOD));
        assert_eq!(service.seen, "podspawn-metrics failed (exit-code, 1)");
        assert!(told([OFF, OFF, ON, failed], Ok(GOOD)).seen.contains("podspawn-textfile failed"));
        // What failed once and is not wanted any more is nobody's concern.
        assert_eq!(told([OFF, failed, OFF, OFF], Ok(GOOD)).outcome, Outcome::Pass);
    }
}
