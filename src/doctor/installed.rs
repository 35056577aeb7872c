//! The program that sshd runs, and whether the broker is the same one.

use super::{Finding, Host, Report, binary, entrance::installed_binary, immutable};
use crate::sys::{elf, program, systemd};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a program may take to say its version, and systemd to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// `sshd-binary`, `broker-version`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let options = host.sshd_for_a_user().ok();
    let session = options.and_then(installed_binary);
    let keys = options.and_then(|options| options.value("authorizedkeyscommand").split_whitespace().next());
    let keys = keys.filter(|path| path.starts_with('/')).map(PathBuf::from);
    // A session's program is run by the account's shell, which takes one from the store; the one for keys by sshd itself.
    let stored = session.iter().filter(|path| immutable::is_stored(path)).cloned().collect::<BTreeSet<PathBuf>>();
    let strictly: BTreeSet<PathBuf> =
        session.iter().filter(|path| !stored.contains(*path)).cloned().chain(keys).collect();
    let findings = strictly.iter().flat_map(|path| binary::check(path)).chain(session.iter().filter_map(dynamic));
    let findings: Vec<Finding> =
        findings.map(|finding| finding.on_nixos("nixos-rebuild switch makes it anew")).collect();
    let programs: BTreeSet<PathBuf> = strictly.union(&stored).cloned().collect();
    let named: Vec<String> = programs.iter().map(|path| path.display().to_string()).collect();
    let first = if programs.is_empty() {
        Report::unknown("sshd-binary", "sshd names no program of podspawn's: see sshd-config", "podspawn server-setup")
            .on_nixos("set services.podspawn.enable and rebuild")
    } else {
        Report::of(
            "sshd-binary",
            findings,
            format!("{} belongs to root, and nobody else writes to it", named.join(", ")),
        )
    };
    vec![first, broker_version(host, session.as_deref().unwrap_or(&host.binary))]
}

/// Containers run a copy of the program, and need not have the loader of one that is not static.
fn dynamic(path: &PathBuf) -> Option<Finding> {
    let loader = elf::interpreter(&File::open(path).ok()?).ok()??;
    let what = format!("{} is not static and wants {loader}, so that no container can run it", path.display());
    Some(Finding::broken(what, "install a static build of podspawn"))
}

fn broker_version(host: &Host, installed: &Path) -> Report {
    const CHECK: &str = "broker-version";
    const REMEDY: &str = "systemctl restart podspawn-broker";
    let running = match host.broker() {
        Ok(reply) => reply.version.as_str(),
        Err(why) => return Report::unknown(CHECK, why, "see broker"),
    };
    let version = match version_of(installed) {
        Ok(version) => version,
        Err(why) => return Report::fail(CHECK, why, "reinstall podspawn"),
    };
    judge(running, &version, executable(host).as_ref(), installed, REMEDY)
}

/// What a running program was started from.
struct Executable {
    /// The path as the kernel tells it, with a mark where the file is gone.
    path: PathBuf,
    file: (u64, u64),
}

fn executable(host: &Host) -> Option<Executable> {
    let unit = systemd::show(host.systemctl.as_deref()?, &["podspawn-broker.service"], &["MainPID"], DEADLINE).ok()?;
    let link = format!("/proc/{}/exe", unit.first()?.property("MainPID"));
    let about = fs::metadata(&link).ok()?;
    Some(Executable { path: fs::read_link(&link).ok()?, file: (about.dev(), about.ino()) })
}

fn judge(
    running: &str,
    version: &str,
    executable: Option<&Executable>,
    installed: &Path,
    remedy: &'static str,
) -> Report {
    const CHECK: &str = "broker-version";
    if running != version {
        let seen = format!("sshd runs podspawn {version}, and the broker is {running}");
        return Report::warn(CHECK, seen, remedy);
    }
    let of = |path: &Path| path.metadata().map(|about| (about.dev(), about.ino())).ok();
    let is_replaced = executable.is_some_and(|executable| {
        executable.path.to_string_lossy().ends_with(" (deleted)") && of(installed) != Some(executable.file)
    });
    if is_replaced {
        let seen = format!("{} was replaced since the broker was started", installed.display());
        return Report::warn(CHECK, seen, remedy);
    }
    Report::pass(CHECK, format!("sshd and the broker run podspawn {version}"))
}

/// What `podspawn --version` says.
fn version_of(installed: &Path) -> Result<String, String> {
    let told = |why: String| format!("{} --version: {why}", installed.display());
    let done = program::run(installed, &["--version"], b"", DEADLINE).map_err(|error| told(error.to_string()))?;
    let version = done.out.trim().strip_prefix("podspawn ").filter(|_| done.succeeded());
    version.map(str::to_owned).ok_or_else(|| told(done.complaint()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_broker_of_another_version_or_of_a_file_that_was_replaced_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let about = file.as_file().metadata().unwrap();
        let of = |path: &str, inode| Executable { path: path.into(), file: (about.dev(), inode) };
        let outcome = |running, executable: Option<Executable>| {
            judge(running, "1.0.0", executable.as_ref(), file.path(), "restart").outcome
        };
        assert_eq!(outcome("1.0.0", Some(of("/x", about.ino()))), Outcome::Pass);
        assert_eq!(outcome("1.0.0", None), Outcome::Pass);
        assert_eq!(outcome("0.9.0", Some(of("/x", about.ino()))), Outcome::Warn);
        assert_eq!(outcome("1.0.0", Some(of("/x (deleted)", about.ino() + 1))), Outcome::Warn);
        // A copy of the same version somewhere else.
        assert_eq!(outcome("1.0.0", Some(of("/y", about.ino() + 1))), Outcome::Pass);
    }

    #[test]
    fn a_program_with_a_loader_is_told() {
        assert!(dynamic(&"/bin/sh".into()).is_some_and(|finding| finding.is_broken()));
        assert_eq!(dynamic(&std::env::current_exe().unwrap()), None);
        assert_eq!(dynamic(&"/nowhere".into()), None);
    }

    #[test]
    fn what_is_no_podspawn_has_no_version() {
        assert!(version_of(Path::new("/bin/true")).is_err() && version_of(Path::new("/nowhere")).is_err());
    }
}
