//! `broker-version`: the broker is the program that sshd runs.

use super::{Check, Group, Host, Problem, Report, sshd::session_program};
use crate::sys::program;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "broker-version",
    group: Group::Broker,
    passes_if: "the broker is the program that sshd runs",
    problems: &[UNUSABLE, OTHER, REPLACED],
    needs_root: true,
    run,
};
const UNUSABLE: Problem = Problem::fail("the program that sshd runs prints no version", "reinstall podspawn");
const OTHER: Problem = Problem::warn("the broker has another version", RESTART);
const REPLACED: Problem = Problem::warn("the program was replaced since the broker was started", RESTART);
const RESTART: &str = "`systemctl restart podspawn-broker`";

/// How long a program may take to print its version, and systemd to answer.
const DEADLINE: Duration = Duration::from_secs(5);

fn run(host: &Host) -> Report {
    let session = host.sshd_for_a_user().ok().and_then(session_program);
    let installed = session.as_deref().unwrap_or(&host.binary);
    let running = match host.broker() {
        Ok(reply) => reply.version.as_str(),
        Err(why) => return CHECK.unknown(why, "see broker"),
    };
    match version_of(installed) {
        Ok(version) => judge(running, &version, executable(host).as_ref(), installed),
        Err(why) => CHECK.report(&UNUSABLE, why, &[]),
    }
}

/// The file that a running program was started from.
struct Executable {
    /// Its path in `/proc`, with a mark where the file is gone.
    path: PathBuf,
    file: (u64, u64),
}

fn executable(host: &Host) -> Option<Executable> {
    let unit = host.systemctl.as_ref()?.show(&["podspawn-broker.service"], &["MainPID"], DEADLINE).ok()?;
    let link = format!("/proc/{}/exe", unit.first()?.property("MainPID"));
    let about = fs::metadata(&link).ok()?;
    Some(Executable { path: fs::read_link(&link).ok()?, file: (about.dev(), about.ino()) })
}

fn judge(running: &str, version: &str, executable: Option<&Executable>, installed: &Path) -> Report {
    if running != version {
        return CHECK.report(&OTHER, format!("sshd runs podspawn {version}, and the broker is {running}"), &[]);
    }
    let of = |path: &Path| path.metadata().map(|about| (about.dev(), about.ino())).ok();
    let is_replaced = executable.is_some_and(|executable| {
        executable.path.to_string_lossy().ends_with(" (deleted)") && of(installed) != Some(executable.file)
    });
    if is_replaced {
        let seen = format!("{} was replaced since the broker was started", installed.display());
        return CHECK.report(&REPLACED, seen, &[]);
    }
    CHECK.pass(format!("sshd and the broker run podspawn {version}"))
}

/// The version that `podspawn --version` prints.
fn version_of(installed: &Path) -> Result<String, String> {
    let failed = |why: String| format!("{} --version: {why}", installed.display());
    let done = program::run(installed, &["--version"], b"", DEADLINE).map_err(|error| failed(error.to_string()))?;
    let version = done.out.trim().strip_prefix("podspawn ").filter(|_| done.succeeded());
    version.map(str::to_owned).ok_or_else(|| failed(done.complaint()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_broker_of_another_version_or_of_a_file_that_was_replaced_is_a_warning() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let about = file.as_file().metadata().unwrap();
        let of = |path: &str, inode| Executable { path: path.into(), file: (about.dev(), inode) };
        let outcome =
            |running, executable: Option<Executable>| judge(running, "1.0.0", executable.as_ref(), file.path()).outcome;
        assert_eq!(outcome("1.0.0", Some(of("/x", about.ino()))), Outcome::Pass);
        assert_eq!(outcome("1.0.0", None), Outcome::Pass);
        assert_eq!(outcome("0.9.0", Some(of("/x", about.ino()))), Outcome::Warn);
        assert_eq!(outcome("1.0.0", Some(of("/x (deleted)", about.ino() + 1))), Outcome::Warn);
        // A copy of the same version somewhere else.
        assert_eq!(outcome("1.0.0", Some(of("/y", about.ino() + 1))), Outcome::Pass);
    }

    #[test]
    fn another_program_has_no_version() {
        assert!(version_of(Path::new("/bin/true")).is_err() && version_of(Path::new("/nowhere")).is_err());
    }
}
