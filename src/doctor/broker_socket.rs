//! `broker-socket`: systemd listens at the broker's socket, with the right owner and mode.

use super::{
    Check, Group, Host, Problem, Report,
    units::{self, NOT_ACTIVE, NOT_ENABLED, NOT_LOADED},
};
use crate::{accounts::local::LocalAccounts, sshd::block::GROUP, sys::systemd::Unit};
use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "broker-socket",
    group: Group::Broker,
    passes_if: "systemd listens at the broker's socket, with the right owner and mode",
    problems: &[NOT_LOADED, NOT_ACTIVE, NOT_ENABLED, MODE, GONE],
    needs_root: false,
    run,
};
const MODE: Problem = Problem::fail(
    "the socket has another owner, group or mode",
    "`chown root:podspawn {socket} && chmod 0660 {socket}`",
);
/// A socket is not restarted while its service holds it.
const GONE: Problem = Problem::fail(
    "the socket's file is gone, or is no socket",
    "`systemctl stop podspawn-broker.service podspawn-broker.socket && systemctl start podspawn-broker.socket`",
);

const UNIT: &str = "podspawn-broker.socket";
const SOCKET_MODE: u32 = 0o660;

fn run(host: &Host) -> Report {
    match host.units() {
        Ok(units) => socket(&units.get(UNIT), &host.socket, host.local.as_ref()),
        Err(why) => CHECK.unknown(why, ""),
    }
}

fn socket(unit: &Unit, path: &Path, local: Option<&LocalAccounts>) -> Report {
    let mut problems = units::idle(&CHECK, unit, UNIT);
    if unit.is_active() {
        problems.extend(file(path, local));
    }
    CHECK.merge(problems, format!("systemd listens at {}, for root and group {GROUP}", path.display()))
}

/// What is wrong with the socket's file.
fn file(path: &Path, local: Option<&LocalAccounts>) -> Option<Report> {
    let shown = path.display();
    let about = match fs::symlink_metadata(path) {
        Ok(about) if about.file_type().is_socket() => about,
        Ok(_) => return Some(CHECK.report(&GONE, format!("{shown} is not a socket"), &[])),
        Err(error) => return Some(CHECK.report(&GONE, format!("{shown}: {error}"), &[])),
    };
    let users = local.and_then(|local| local.group(GROUP)).map(|group| group.gid);
    let mode = about.mode() & 0o7777;
    let is_ours = about.uid() == 0 && users.is_none_or(|gid| gid == about.gid());
    let seen = format!("{shown} has mode {mode:04o}, owner {} and group {}", about.uid(), about.gid());
    (mode != SOCKET_MODE || !is_ours).then(|| CHECK.report(&MODE, seen, &[("socket", &shown)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_socket_that_does_not_listen_or_is_open_to_others_is_a_failure() {
        let of = |text: &str, path: &Path| socket(&Unit::parse_for_test(text), path, None);
        let nowhere = Path::new("/nowhere/broker.sock");
        assert!(of("LoadState=not-found", nowhere).seen.contains("podspawn-broker.socket is not-found"));
        let off = of("LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled", nowhere);
        assert_eq!(
            (off.outcome, off.remedy.as_str()),
            (Outcome::Fail, "systemctl enable --now podspawn-broker.socket")
        );
        let running = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled";
        let gone = of(running, nowhere);
        assert!(gone.outcome == Outcome::Fail && gone.seen.contains("No such file"), "{gone:?}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let open = of(running, &path);
        assert!(open.outcome == Outcome::Fail && open.remedy.contains("chmod 0660"), "{open:?}");
    }
}
