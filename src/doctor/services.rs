//! podspawn's units, the broker's socket, and whether the broker answers.

use super::{Finding, Host, Report, host::SYSTEMD};
use crate::{
    accounts::local::LocalAccounts,
    domain::{Span, text::one_line},
    sshd::block::GROUP,
    sys::{
        clock::since_boot,
        program,
        systemd::{self, Unit},
    },
};
use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
    time::Duration,
};

const CHECKS: [&str; 5] = ["broker-socket", "units", "cleanup-timer", "cleanup-last", "backup-timer"];
const UNITS: [&str; 6] = [
    "podspawn-broker.socket",
    "podspawn-broker.service",
    "podspawn-cleanup.timer",
    "podspawn-cleanup.service",
    "podspawn-backup.timer",
    "podspawn-backup.service",
];
const PROPERTIES: [&str; 7] = [
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "Result",
    "NeedDaemonReload",
    "ExecMainStatus",
    "ExecMainExitTimestampMonotonic",
];
/// The timer's passes are some minutes apart; later than this one is missing.
const LATE: Duration = Duration::from_secs(30 * 60);
const SOCKET_MODE: u32 = 0o660;

/// `broker-socket`, `units`, `cleanup-timer`, `cleanup-last`, `backup-timer`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let unknown = |why: String| CHECKS.map(|check| Report::unknown(check, &why, "")).into();
    let Some(systemctl) = &host.systemctl else { return unknown("systemd does not run this host".to_owned()) };
    let units = match systemd::show(systemctl, &UNITS, &PROPERTIES, SYSTEMD) {
        Ok(units) => units,
        Err(error) => return unknown(error.to_string()),
    };
    vec![
        socket(&units[0], &host.socket, host.local.as_ref()),
        stale(&units),
        timer(CHECKS[2], &units[2], UNITS[2]),
        last_pass(&units[3], since_boot()),
        timer(CHECKS[4], &units[4], UNITS[4]),
    ]
}

/// What keeps a unit from being there after the next boot, and now.
fn idle(unit: &Unit, name: &str) -> Vec<Finding> {
    // There, a unit that is off is masked.
    let option = if name.starts_with("podspawn-backup") { ".backup" } else { "" };
    let declared = format!("set services.podspawn{option}.enable = true and rebuild");
    let mut findings = Vec::new();
    if unit.property("LoadState") != "loaded" {
        let state = unit.property("LoadState");
        return vec![
            Finding::broken(format!("{name} is {state}"), format!("systemctl unmask {name}, or reinstall podspawn"))
                .on_nixos(declared),
        ];
    }
    let enable = format!("systemctl enable --now {name}");
    if !unit.is_active() {
        let finding = Finding::broken(format!("{name} does not run"), enable.as_str());
        findings.push(finding.on_nixos(format!("systemctl start {name}")));
    }
    if unit.property("UnitFileState") == "disabled" {
        findings.push(Finding::notable(format!("{name} is not started at boot"), enable).on_nixos(declared));
    }
    findings
}

fn socket(unit: &Unit, path: &Path, local: Option<&LocalAccounts>) -> Report {
    let mut findings = idle(unit, UNITS[0]);
    if unit.is_active() {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Ok(about) if about.file_type().is_socket() => {
                let users = local.and_then(|local| local.group(GROUP)).map(|group| group.gid);
                let mode = about.mode() & 0o7777;
                let is_ours = about.uid() == 0 && users.is_none_or(|gid| gid == about.gid());
                if mode != SOCKET_MODE || !is_ours {
                    findings.push(Finding::broken(
                        format!("{shown} has mode {mode:04o}, owner {} and group {}", about.uid(), about.gid()),
                        format!("chown root:{GROUP} {shown} && chmod 0660 {shown}"),
                    ));
                }
            }
            Ok(_) => findings.push(gone(&format!("{shown} is not a socket"))),
            Err(error) => findings.push(gone(&format!("{shown}: {error}"))),
        }
    }
    Report::of(CHECKS[0], findings, format!("systemd listens at {}, for root and group {GROUP}", path.display()))
}

fn gone(what: &str) -> Finding {
    // A socket is not restarted while its service holds it.
    let remedy =
        "systemctl stop podspawn-broker.service podspawn-broker.socket && systemctl start podspawn-broker.socket";
    Finding::broken(what, remedy)
}

fn stale(units: &[Unit]) -> Report {
    let stale = UNITS.iter().zip(units).filter(|(_, unit)| unit.property("NeedDaemonReload") == "yes");
    let names: Vec<&str> = stale.map(|(name, _)| *name).collect();
    if names.is_empty() {
        return Report::pass(CHECKS[1], "systemd has read podspawn's units since they were changed");
    }
    let seen = format!("systemd has not read {} since it was changed", names.join(", "));
    Report::warn(CHECKS[1], seen, "systemctl daemon-reload")
}

/// A timer that does not run hurts nobody at once.
fn timer(check: &'static str, unit: &Unit, name: &str) -> Report {
    let notable = |finding| Finding { severity: super::Severity::Notable, ..finding };
    let findings = idle(unit, name).into_iter().map(notable).collect();
    Report::of(check, findings, format!("{name} runs"))
}

fn last_pass(unit: &Unit, now: Duration) -> Report {
    const REMEDY: &str = "journalctl -u podspawn-cleanup; podspawn cleanup";
    let check = CHECKS[3];
    if let Some(failure) = unit.failure() {
        return Report::warn(check, format!("the last cleanup pass failed ({failure})"), REMEDY);
    }
    match unit.moment("ExecMainExitTimestampMonotonic") {
        None if now < LATE => Report::pass(check, "no pass yet since the boot, and none is due"),
        None => Report::warn(check, "no cleanup pass since the boot", REMEDY),
        Some(moment) => {
            let age = Span::from_secs(now.saturating_sub(moment).as_secs());
            let seen = format!("the last cleanup pass was {age} ago");
            if Duration::from(age) > LATE { Report::warn(check, seen, REMEDY) } else { Report::pass(check, seen) }
        }
    }
}

/// `broker`.
pub(super) fn broker(host: &Host) -> Vec<Report> {
    const CHECK: &str = "broker";
    let report = match host.broker() {
        Ok(reply) => {
            Report::pass(CHECK, format!("it answers: version {}, {} sessions run", reply.version, reply.running))
        }
        Err(why) if !host.root => Report::unknown(CHECK, why, "sudo podspawn doctor"),
        Err(why) => {
            let mut seen = why.clone();
            if let Some(line) = last_line() {
                seen = format!("{seen}; its last word: {line}");
            }
            Report::fail(CHECK, seen, "journalctl -u podspawn-broker -n 50; systemctl restart podspawn-broker.service")
        }
    };
    vec![report]
}

/// The last line that the broker wrote to the journal.
fn last_line() -> Option<String> {
    let journalctl = program::find("journalctl")?;
    let arguments = ["--unit=podspawn-broker.service", "--lines=1", "--output=cat", "--no-pager", "--quiet"];
    let done = program::run(&journalctl, &arguments, b"", SYSTEMD).ok()?;
    let line: String = one_line(done.out.lines().next()?).chars().take(300).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn unit(text: &str) -> Unit {
        Unit::parse_for_test(text)
    }

    #[test]
    fn a_socket_that_does_not_listen_is_a_fault_and_one_that_is_not_enabled_is_worth_a_word() {
        let path = Path::new("/nowhere/broker.sock");
        let told = |text: &str| socket(&unit(text), path, None);
        assert!(told("LoadState=not-found").seen.contains("podspawn-broker.socket is not-found"));
        let masked = timer("backup-timer", &unit("LoadState=masked"), UNITS[4]).declared();
        assert_eq!(masked.remedy, "set services.podspawn.backup.enable = true and rebuild");
        let off = told("LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled");
        assert_eq!(
            (off.outcome, off.remedy.as_str()),
            (Outcome::Fail, "systemctl enable --now podspawn-broker.socket")
        );
        let gone = told("LoadState=loaded\nActiveState=active\nUnitFileState=enabled");
        assert!(gone.outcome == Outcome::Fail && gone.seen.contains("No such file"), "{gone:?}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let running = unit("LoadState=loaded\nActiveState=active\nUnitFileState=enabled");
        let open = socket(&running, &path, None);
        assert!(open.outcome == Outcome::Fail && open.remedy.contains("chmod 0660"), "{open:?}");
    }

    #[test]
    fn a_timer_that_does_not_run_or_a_unit_that_was_changed_is_worth_a_word() {
        let idle = timer("backup-timer", &unit("LoadState=loaded\nActiveState=inactive"), "podspawn-backup.timer");
        assert_eq!(
            (idle.outcome, idle.remedy.as_str()),
            (Outcome::Warn, "systemctl enable --now podspawn-backup.timer")
        );
        assert_eq!(stale(&[unit("NeedDaemonReload=no"), unit("NeedDaemonReload=yes")]).outcome, Outcome::Warn);
        assert_eq!(stale(&[unit("NeedDaemonReload=no")]).outcome, Outcome::Pass);
    }

    #[test]
    fn a_pass_that_failed_is_late_or_never_was_is_told() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let told = |text: &str, now| last_pass(&unit(text), now).outcome;
        let at_ten = "Result=success\nExecMainExitTimestampMonotonic=600000000";
        assert_eq!(told(at_ten, minutes(12)), Outcome::Pass);
        assert_eq!(told(at_ten, minutes(60)), Outcome::Warn);
        assert_eq!(told("Result=exit-code\nExecMainStatus=1", minutes(1)), Outcome::Warn);
        assert_eq!(told("Result=success", minutes(5)), Outcome::Pass);
        assert_eq!(told("Result=success", minutes(50)), Outcome::Warn);
    }
}
