//! Extensions that OpenSSH's clients use.

use super::{
    attributes::Attributes,
    files,
    handles::MAX_HANDLES,
    server::{Failure, Result, Server, name_only},
    wire::{Answer, Fields, MAX_DATA, MAX_PACKET, Put},
};
use crate::guest::{accounts, files as accounts_file};
use rustix::{
    fs::{AtFlags, StatVfs},
    io::Errno,
};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What the greeting offers, with versions.
pub(super) const OFFERED: [(&str, &str); 8] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
];

pub(super) fn perform(server: &mut Server, name: &[u8], fields: &mut Fields<'_>) -> Result {
    let done = |result: std::result::Result<(), Errno>| result.map(|()| Answer::ok()).map_err(Failure::from);
    match name {
        b"posix-rename@openssh.com" => done(rustix::fs::rename(fields.string()?, fields.string()?)),
        b"hardlink@openssh.com" => done(rustix::fs::link(fields.string()?, fields.string()?)),
        b"fsync@openssh.com" => done(rustix::fs::fsync(server.fd(fields.string()?)?)),
        b"statvfs@openssh.com" => Ok(capacity(&rustix::fs::statvfs(fields.string()?)?)),
        b"fstatvfs@openssh.com" => Ok(capacity(&rustix::fs::fstatvfs(server.fd(fields.string()?)?)?)),
        b"lsetstat@openssh.com" => {
            let path = fields.string()?;
            done(Attributes::read(fields)?.apply_at(path, AtFlags::SYMLINK_NOFOLLOW))
        }
        b"limits@openssh.com" => {
            let mut reply = Vec::new();
            for limit in [MAX_PACKET, MAX_DATA, MAX_DATA, MAX_HANDLES] {
                reply.put_u64(limit as u64);
            }
            Ok(Answer::Extended(reply))
        }
        b"expand-path@openssh.com" => {
            let path = expand(fields.string()?, server.home().as_bytes()).ok_or(Errno::NOENT)?;
            files::real_path(&path).map(name_only)
        }
        _ => Err(Failure::Unsupported),
    }
}

/// `~` and `~user` at the start of a path, replaced; `None` for a user that the container does not have.
fn expand(path: &[u8], home: &[u8]) -> Option<Vec<u8>> {
    let Some(rest) = path.strip_prefix(b"~") else { return Some(path.to_vec()) };
    let (user, below) = rest.split_at(rest.iter().position(|&b| b == b'/').unwrap_or(rest.len()));
    let mut expanded = if user.is_empty() {
        home.to_vec()
    } else {
        let passwd = accounts_file::read(Path::new("/etc/passwd")).ok().flatten()?;
        let entry = accounts::find(&passwd, std::str::from_utf8(user).ok()?)?;
        PathBuf::into_os_string(entry.home).as_bytes().to_vec()
    };
    expanded.extend_from_slice(below);
    Some(expanded)
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
        assert_eq!(expand(b"~", b"/home/alice").unwrap(), b"/home/alice");
        assert_eq!(expand(b"~/x", b"/home/alice").unwrap(), b"/home/alice/x");
        assert_eq!(expand(b"a/~/x", b"/home/alice").unwrap(), b"a/~/x");
        assert_eq!(expand(b"~root/x", b"/home/alice").unwrap(), b"/root/x");
        assert!(expand(b"~nobody-at-all", b"/home/alice").is_none());
    }
}
