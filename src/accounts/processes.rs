//! Processes of an account on the host: connections that sshd keeps open, and the user manager that systemd keeps for some
//! seconds after the last of them.
//!
//! Processes of containers may have the same uid; they are in another pid namespace and are left out.

use crate::domain::text::one_line;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long processes may take to end before they are killed, and again afterwards.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its number.
    pub pid: i32,
    /// The name of its program, as the kernel has it.
    pub name: String,
}

impl Named {
    /// Whether it serves an ssh connection.
    #[must_use]
    pub fn serves(&self) -> bool {
        // `sshd-session` since OpenSSH 9.8.
        self.name.starts_with("sshd") || self.name.starts_with("podspawn")
    }

    /// Whether it is systemd's manager for a user, or the helper beside that.
    #[must_use]
    pub fn is_manager(&self) -> bool {
        matches!(self.name.as_str(), "systemd" | "(sd-pam)")
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A process chooses its name.
        write!(f, "{} ({})", one_line(&self.name), self.pid)
    }
}

/// Every process of `uid`.
pub fn named(uid: u32) -> io::Result<Vec<Named>> {
    Ok(of(&|owner| owner == uid)?.iter().filter_map(|(pid, _)| name(*pid)).collect())
}

/// Every process of any of `uids`, with its owner.
pub fn of_any(uids: &BTreeSet<u32>) -> io::Result<Vec<(u32, Named)>> {
    Ok(of(&|owner| uids.contains(&owner))?.iter().filter_map(|(pid, owner)| Some((*owner, name(*pid)?))).collect())
}

/// `None` if it has ended meanwhile.
fn name(pid: Pid) -> Option<Named> {
    let pid = pid.as_raw_nonzero().get();
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(Named { pid, name: String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned() })
}

/// How many of the processes of `uid` serve a connection.
pub fn connections(uid: u32) -> io::Result<usize> {
    Ok(named(uid)?.iter().filter(|process| process.serves()).count())
}

/// The processes in our own pid namespace whose owner `is_asked`, with their owners.
fn of(is_asked: &dyn Fn(u32) -> bool) -> io::Result<Vec<(Pid, u32)>> {
    let ours = fs::read_link("/proc/self/ns/pid")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        found.extend(owner(pid, &ours).filter(|owner| is_asked(*owner)).map(|owner| (pid, owner)));
    }
    Ok(found)
}

/// The owner of a process of `namespace`; one that has ended meanwhile has none.
fn owner(pid: Pid, namespace: &Path) -> Option<u32> {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let owner = process.metadata().ok()?.uid();
    fs::read_link(process.join("ns/pid")).is_ok_and(|found| found == namespace).then_some(owner)
}

/// Ends every process of `uid`; returns whether all are gone.
pub fn end(uid: u32) -> io::Result<bool> {
    end_after(uid, PATIENCE)
}

/// As [`end`]; processes are killed after `patience`.
fn end_after(uid: u32, patience: Duration) -> io::Result<bool> {
    for (signal, patience) in [(Signal::TERM, patience), (Signal::KILL, PATIENCE)] {
        let end = Instant::now() + patience;
        loop {
            let left = of(&|owner| owner == uid)?;
            if left.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= end {
                break;
            }
            let ours = fs::read_link("/proc/self/ns/pid")?;
            for (pid, _) in left {
                // Looked at again once it is held: the number could be another's by now.
                if let Ok(held) = pidfd_open(pid, PidfdFlags::empty())
                    && owner(pid, &ours) == Some(uid)
                {
                    // It may have ended in between.
                    let _ = pidfd_send_signal(&held, signal);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(of(&|owner| owner == uid)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::CommandExt as _, process::Command};

    #[test]
    fn an_accounts_processes_are_found_and_ended_and_no_others() {
        // An id of no account; only root can take it.
        let uid = 3_999_999_001;
        let start = |script: &str| Command::new("sh").args(["-c", script]).uid(uid).spawn();
        let Ok(mut gentle) = start("sleep 600") else {
            assert!(!rustix::process::geteuid().is_root());
            return;
        };
        let mut stubborn = start("trap '' TERM; while :; do sleep 1; done").unwrap();
        let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
        thread::sleep(Duration::from_millis(300));
        assert!(named(uid).unwrap().len() >= 2);
        // They are our children: gone once they are waited for.
        let reaper = thread::spawn(move || (gentle.wait().unwrap(), stubborn.wait().unwrap()));
        assert!(end_after(uid, Duration::from_millis(300)).unwrap());
        reaper.join().unwrap();
        assert!(named(uid).unwrap().is_empty());
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
