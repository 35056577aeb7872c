//! A program of the host, run to its end as a given account.
//!
//! Programs are found in fixed places and get an environment of podspawn's own: another user could have chosen the search
//! path.

use super::{
    child::{self, Finished},
    ids,
};
use rustix::{
    process::{Gid, Signal, Uid, set_parent_process_death_signal},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
        set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};
use std::{
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Where programs are, NixOS's place last: it is a link into the store, and there others are absent.
const PLACES: [&str; 7] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin"];
/// The program called `name`, if the host has it.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

/// The account that a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All other groups.
    pub groups: Vec<u32>,
}

/// Runs `program` with `arguments` and `input` to its end; one that takes longer than `deadline` is killed.
pub fn run(program: &Path, arguments: &[&str], input: &[u8], deadline: Duration) -> io::Result<Finished> {
    finish(&mut Command::new(program), arguments, input, deadline)
}

/// As [`run`], as another account and in `/`. Only root can.
pub fn run_as(
    identity: &Identity,
    program: &Path,
    arguments: &[&str],
    input: &[u8],
    deadline: Duration,
) -> io::Result<Finished> {
    let mut command = Command::new(program);
    let no_id = || io::Error::new(io::ErrorKind::InvalidInput, "not a user or group id");
    let (uid, gid) = (ids::uid(identity.uid).ok_or_else(no_id)?, ids::gid(identity.gid).ok_or_else(no_id)?);
    let groups: Vec<Gid> = identity.groups.iter().filter_map(|gid| ids::gid(*gid)).collect();
    let become_account = move || {
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    };
    // SAFETY: between fork and exec it makes three system calls of its only thread and allocates nothing.
    unsafe { command.pre_exec(become_account) };
    finish(command.current_dir("/"), arguments, input, deadline)
}

/// The account that owns no file: the kernel's overflow uid and gid.
const OVERFLOW: u32 = 65534;

/// As [`run`], as an account that owns nothing and reads every file: for a program that asks more of root than of others.
/// Only root can. Other processes of that account have not the capability, so that they cannot trace it.
pub fn run_reading(program: &Path, arguments: &[&str], deadline: Duration) -> io::Result<Finished> {
    // In a container the first is often missing, and root reads by the second.
    let permitted = capabilities(None)?.permitted;
    let wanted = [CapabilitySet::DAC_READ_SEARCH, CapabilitySet::DAC_OVERRIDE];
    let reads = wanted.into_iter().find(|one| permitted.contains(*one)).ok_or(io::ErrorKind::PermissionDenied)?;
    let (uid, gid) = (Uid::from_raw(OVERFLOW), Gid::from_raw(OVERFLOW));
    let become_reader = move || {
        set_keep_capabilities(true)?;
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        set_capabilities(None, CapabilitySets { effective: reads, permitted: reads, inheritable: reads })?;
        configure_capability_in_ambient_set(reads, true)?;
        Ok(())
    };
    let mut command = Command::new(program);
    // SAFETY: between fork and exec it makes system calls of its only thread and allocates nothing.
    unsafe { command.pre_exec(become_reader) };
    finish(command.current_dir("/"), arguments, b"", deadline)
}

/// Has the kernel kill what `command` starts when this process dies, however it does.
pub fn die_with_us(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) }
}

fn finish(command: &mut Command, arguments: &[&str], input: &[u8], deadline: Duration) -> io::Result<Finished> {
    command.args(arguments).env_clear().env("PATH", PLACES.join(":")).env("LC_ALL", "C");
    // A key typed at the terminal is for podspawn to act on: a tool that is cut short would leave half of its work.
    child::finish(command.process_group(0), input, deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], deadline: Duration) -> io::Result<Finished> {
        run(Path::new("/bin/sh"), &["-c", script], input, deadline)
    }

    #[test]
    fn a_program_runs_as_the_given_account_without_the_callers_groups() {
        // Only root can change the account.
        if !rustix::process::geteuid().is_root() {
            let other = Identity { uid: 65_534, gid: 65_534, groups: Vec::new() };
            assert!(run_as(&other, Path::new("/bin/true"), &[], b"", Duration::from_secs(60)).is_err());
            return;
        }
        let identity = Identity { uid: 4711, gid: 4712, groups: vec![4713, 4714] };
        let script = "id -u; id -g; id -G; pwd";
        let done = run_as(&identity, Path::new("/bin/sh"), &["-c", script], b"", Duration::from_secs(60)).unwrap();
        assert_eq!(done.out, "4711\n4712\n4712 4713 4714\n/\n", "{done:?}");
    }

    #[test]
    fn a_reading_program_reads_roots_files_with_no_other_capability() {
        if !rustix::process::geteuid().is_root() {
            assert!(run_reading(Path::new("/bin/true"), &[], Duration::from_secs(60)).is_err());
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let path = file.path().to_str().unwrap();
        let script = format!("id -u; cat {path}; grep CapEff /proc/self/status");
        let done = run_reading(Path::new("/bin/sh"), &["-c", &script], Duration::from_secs(60)).unwrap();
        assert!(done.out.starts_with("65534\nsecretCapEff:\t000000000000000"), "{done:?}");
    }

    #[test]
    fn the_callers_environment_is_not_passed_on() {
        let done =
            sh("env | cut -d= -f1 | grep -v -e ^_ -e ^PWD -e ^SHLVL | sort", b"", Duration::from_secs(60)).unwrap();
        assert_eq!(done.out, "LC_ALL\nPATH\n");
    }
}
