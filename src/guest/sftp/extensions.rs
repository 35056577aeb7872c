//! Extensions that OpenSSH's clients use.

use super::{
    attributes::{Attributes, name_only},
    failure::{Failure, Result},
    files, realpath,
    state::State,
    wire::{Answer, Fields, MAX_DATA, MAX_PACKET, Put},
};
use crate::guest::{accounts, files as accounts_file};
use rustix::{fs::StatVfs, io::Errno, process::Resource};
use std::{
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// What the greeting offers, with versions, in OpenSSH's order.
pub(super) const OFFERED: [(&str, &str); 11] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("copy-data", "1"),
    ("home-directory", "1"),
    ("users-groups-by-id@openssh.com", "1"),
];

pub(super) fn perform(state: &mut State, name: &[u8], fields: &mut Fields<'_>) -> Result {
    let done = |result: std::result::Result<(), Errno>| result.map(|()| Answer::ok()).map_err(Failure::from);
    match name {
        b"posix-rename@openssh.com" => done(rustix::fs::rename(fields.string()?, fields.string()?)),
        b"hardlink@openssh.com" => done(rustix::fs::link(fields.string()?, fields.string()?)),
        b"fsync@openssh.com" => match state.fd(fields.string()?) {
            Ok(file) => done(rustix::fs::fsync(file)),
            Err(_) => Err(Errno::NOENT.into()),
        },
        b"statvfs@openssh.com" => Ok(capacity(&rustix::fs::statvfs(fields.string()?)?)),
        b"fstatvfs@openssh.com" => Ok(capacity(&rustix::fs::fstatvfs(state.fd(fields.string()?)?)?)),
        b"lsetstat@openssh.com" => {
            let path = fields.string()?;
            done(Attributes::read(fields)?.apply_at_link(path))
        }
        b"limits@openssh.com" => Ok(limits()),
        b"expand-path@openssh.com" => {
            let path = expand(fields.string()?)?;
            Ok(name_only(realpath::real_path(&path)?))
        }
        b"copy-data" => copy(state, fields),
        b"home-directory" => {
            let user = fields.string()?;
            let home = if user == state.user.as_bytes() { Some(state.home.as_bytes().to_vec()) } else { home_of(user) };
            home.map(name_only).ok_or(Failure::Refused)
        }
        b"users-groups-by-id@openssh.com" => {
            let (users, groups) = (Fields(fields.string()?), Fields(fields.string()?));
            let mut reply = Vec::new();
            for names in [state.names.of_users(users)?, state.names.of_groups(groups)?] {
                reply.put_string(&names);
            }
            // The names are the container's; clients give up at a packet that is longer than this.
            if reply.len() > MAX_DATA { Err(Failure::Refused) } else { Ok(Answer::Extended(reply)) }
        }
        _ => Err(Failure::Unsupported),
    }
}

/// Descriptors that OpenSSH's server keeps for itself, and leaves out of the limits that it announces.
const KEPT_DESCRIPTORS: u64 = 5;

fn limits() -> Answer {
    let descriptors = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let mut reply = Vec::new();
    for limit in [MAX_PACKET as u64, MAX_DATA as u64, MAX_DATA as u64, descriptors.saturating_sub(KEPT_DESCRIPTORS)] {
        reply.put_u64(limit);
    }
    Answer::Extended(reply)
}

fn copy(state: &mut State, fields: &mut Fields<'_>) -> Result {
    let from = fields.string()?;
    let (offset, length) = (fields.u64()?, fields.u64()?);
    let to = fields.string()?;
    let to_offset = fields.u64()?;
    // Two files are borrowed at once, so one of them by a second descriptor.
    state.file(from)?;
    let to = state.file(to)?.try_clone()?;
    files::copy(state.file(from)?, offset, length, &to, to_offset)?;
    Ok(Answer::ok())
}

/// `~` and `~user` at the start of a path, replaced. The user's own home is where the server was started, as with OpenSSH:
/// a login whose home does not exist begins elsewhere.
fn expand(path: &[u8]) -> Result<Vec<u8>> {
    let Some(rest) = path.strip_prefix(b"~") else { return Ok(path.to_vec()) };
    let (user, below) = rest.split_at(rest.iter().position(|&b| b == b'/').unwrap_or(rest.len()));
    let mut expanded =
        if user.is_empty() { realpath::working_directory()? } else { home_of(user).ok_or(Errno::NOENT)? };
    expanded.push(b'/');
    expanded.extend_from_slice(below.strip_prefix(b"/").unwrap_or(below));
    Ok(expanded)
}

/// The home of an account of the container.
fn home_of(user: &[u8]) -> Option<Vec<u8>> {
    let passwd = accounts_file::read(Path::new("/etc/passwd")).ok().flatten()?;
    let entry = accounts::find(&passwd, std::str::from_utf8(user).ok()?)?;
    Some(entry.home.into_os_string().into_vec())
}

fn capacity(stat: &StatVfs) -> Answer {
    let mut reply = Vec::new();
    // The protocol has flags of its own: 1 read-only, 2 no setuid. The kernel's are the same two bits.
    let flags = stat.f_flag.bits() & 3;
    for number in [
        stat.f_bsize,
        stat.f_frsize,
        stat.f_blocks,
        stat.f_bfree,
        stat.f_bavail,
        stat.f_files,
        stat.f_ffree,
        stat.f_favail,
        stat.f_fsid,
        flags,
        stat.f_namemax,
    ] {
        reply.put_u64(number);
    }
    Answer::Extended(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_a_home_only_at_the_start() {
        let here = std::env::current_dir().unwrap().into_os_string().into_vec();
        assert_eq!(expand(b"~").unwrap(), [&here[..], b"/"].concat());
        assert_eq!(expand(b"~/x").unwrap(), [&here[..], b"/x"].concat());
        assert_eq!(expand(b"a/~/x").unwrap(), b"a/~/x");
        assert_eq!(expand(b"~root/x").unwrap(), b"/root/x");
        assert!(matches!(expand(b"~no-such-user"), Err(Failure::System(Errno::NOENT))));
    }
}
