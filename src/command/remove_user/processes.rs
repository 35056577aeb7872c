//! What still runs on the host for an account: the connections that sshd keeps open for it, and the user manager that
//! systemd keeps for some seconds after the last of them.
//!
//! A container's processes may bear the same uid and are not meant: they are in another pid namespace.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a process may take over its end before it is killed, and then over being gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many of the processes of `uid` serve a connection.
pub(super) fn connections(uid: u32) -> io::Result<usize> {
    let serves = |pid: &Pid| {
        let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap_or_default();
        // `sshd-session` since OpenSSH 9.8.
        name.starts_with("sshd") || name.starts_with("podspawn")
    };
    Ok(of(uid)?.iter().filter(|pid| serves(pid)).count())
}

/// The processes of `uid` in our own pid namespace.
fn of(uid: u32) -> io::Result<Vec<Pid>> {
    let ours = fs::read_link("/proc/self/ns/pid")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if belongs(pid, uid, &ours) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn belongs(pid: Pid, uid: u32, namespace: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    // One that has ended meanwhile belongs to nobody.
    process.metadata().is_ok_and(|about| about.uid() == uid)
        && fs::read_link(process.join("ns/pid")).is_ok_and(|found| found == namespace)
}

/// Ends every process of `uid`; returns whether all are gone.
pub(super) fn end(uid: u32) -> io::Result<bool> {
    for signal in [Signal::TERM, Signal::KILL] {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = of(uid)?;
            if left.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= end {
                break;
            }
            let ours = fs::read_link("/proc/self/ns/pid")?;
            for pid in left {
                // Looked at again once it is held: the number could be another's by now.
                if let Ok(held) = pidfd_open(pid, PidfdFlags::empty())
                    && belongs(pid, uid, &ours)
                {
                    // It may have ended in between, which is what is wanted.
                    let _ = pidfd_send_signal(&held, signal);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(of(uid)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::CommandExt as _, process::Command};

    #[test]
    fn an_accounts_processes_are_found_and_ended_and_nobody_elses() {
        // An id that nobody has; only root can take it.
        let uid = 3_999_999_001;
        let start = |script: &str| Command::new("sh").args(["-c", script]).uid(uid).spawn();
        let Ok(mut gentle) = start("sleep 600") else {
            assert!(!rustix::process::geteuid().is_root());
            return;
        };
        let mut stubborn = start("trap '' TERM; while :; do sleep 1; done").unwrap();
        let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
        thread::sleep(Duration::from_millis(300));
        assert!(of(uid).unwrap().len() >= 2);
        // They are our children: gone once they are waited for.
        let reaper = thread::spawn(move || (gentle.wait().unwrap(), stubborn.wait().unwrap()));
        assert!(end(uid).unwrap());
        reaper.join().unwrap();
        assert!(of(uid).unwrap().is_empty());
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
