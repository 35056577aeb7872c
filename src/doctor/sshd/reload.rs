//! `sshd-reload`: sshd has read its files since they were changed.

use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    sshd::{
        self,
        order::Reading,
        serving::{Found, Serving},
    },
    sys::clock::since_boot,
};
use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-reload",
    group: Group::Sshd,
    passes_if: "sshd has read its files since they were changed",
    problems: &[CHANGED],
    needs_root: true,
    run,
};
/// `restart` is for a service that its socket started: it does not survive a reload.
const CHANGED: Problem = Problem::warn(
    "a file was changed after sshd read it; the verb is `restart` where `ssh.socket` started sshd",
    "`sshd -t && systemctl {verb} {unit}`",
);

fn run(host: &Host) -> Report {
    match host.sshd_service() {
        Ok(found) => reload(found, &changed()),
        Err(error) => CHECK.unknown(error, "systemctl status ssh"),
    }
}

fn real_time(monotonic: Duration) -> SystemTime {
    SystemTime::now() - since_boot().saturating_sub(monotonic)
}

/// sshd's files, with the time of their last change.
fn changed() -> Vec<(PathBuf, SystemTime)> {
    let files = Reading::of(Path::new(sshd::CONFIG)).map(|reading| reading.files).unwrap_or_default();
    let time = |path: PathBuf| {
        let about = path.metadata().ok()?;
        let nanos = u32::try_from(about.ctime_nsec()).ok()?;
        Some((path, UNIX_EPOCH + Duration::new(u64::try_from(about.ctime()).ok()?, nanos)))
    };
    files.into_iter().filter_map(time).collect()
}

fn reload(found: Option<&Found>, files: &[(PathBuf, SystemTime)]) -> Report {
    let (unit, verb) = match found.map(|found| &found.serving) {
        Some(Serving::Service { name }) => (name, "reload"),
        Some(Serving::Activated { service, .. }) => (service, "restart"),
        Some(Serving::Socket { name }) => {
            return CHECK.pass(format!("{name} starts sshd for the next connection, and it reads its files then"));
        }
        Some(Serving::Stopped { .. }) | None => {
            return CHECK.pass("there is no sshd.service that keeps a configuration");
        }
    };
    let read = found.and_then(|found| found.read).map_or(SystemTime::UNIX_EPOCH, real_time);
    let newer: Vec<String> =
        files.iter().filter(|(_, changed)| *changed > read).map(|(path, _)| path.display().to_string()).collect();
    if newer.is_empty() {
        return CHECK.pass(format!("{unit} has read its files since they were changed"));
    }
    let seen = format!("{unit} has not read {} since it was changed", newer.join(", "));
    CHECK.report(&CHANGED, seen, &[("verb", &verb), ("unit", unit)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn files_that_were_changed_after_sshd_read_them_are_named() {
        let now = SystemTime::now();
        let at = |second| now - Duration::from_secs(100) + Duration::from_secs(second);
        let files = [("/etc/ssh/a".into(), at(10)), ("/etc/ssh/b".into(), at(30))];
        let read = |second: u64| since_boot().checked_sub(Duration::from_secs(100 - second));
        let found = |serving, read| Some(Found { serving, listens: Vec::new(), read });
        let service = |second: u64| found(Serving::Service { name: "ssh.service".into() }, read(second));
        assert_eq!(reload(service(40).as_ref(), &files).outcome, Outcome::Pass);
        let stale = reload(service(20).as_ref(), &files);
        assert!(
            stale.outcome == Outcome::Warn && stale.seen.contains("/etc/ssh/b") && !stale.seen.contains("/etc/ssh/a")
        );
        assert_eq!(stale.remedy, "sshd -t && systemctl reload ssh.service");
        let activated =
            Serving::Activated { service: "ssh.service".into(), socket: "ssh.socket".into(), keeps_connections: true };
        assert_eq!(
            reload(found(activated, read(20)).as_ref(), &files).remedy,
            "sshd -t && systemctl restart ssh.service"
        );
        let socket = Serving::Socket { name: "ssh.socket".into() };
        assert_eq!(reload(found(socket, None).as_ref(), &files).outcome, Outcome::Pass);
    }
}
