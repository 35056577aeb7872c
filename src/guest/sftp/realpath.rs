//! Paths without links, as OpenSSH's server resolves them.
//!
//! realpath(3) differs: it wants the last part to exist, and a directory before `.` and `..`.

use rustix::{
    fs::{AtFlags, CWD, FileType},
    io::Errno,
};
use std::collections::VecDeque;

/// Most links on the way.
const MAX_LINKS: usize = 33;
/// Longest path, in bytes with the zero at its end: `PATH_MAX`.
const MAX_PATH: usize = 4096;

/// The absolute path without links, `.` and `..`. Its last part need not exist; a link's target is resolved whether or not
/// it exists.
pub(super) fn real_path(path: &[u8]) -> Result<Vec<u8>, Errno> {
    if path.strip_prefix(b"/").unwrap_or(path).len() >= MAX_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    let mut resolved = if path.starts_with(b"/") { Vec::new() } else { working_directory()? };
    let mut left: VecDeque<Vec<u8>> = parts(path).collect();
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                remove_last(&mut resolved);
                continue;
            }
            name => {
                resolved.push(b'/');
                resolved.extend_from_slice(name);
            }
        }
        if resolved.len() >= MAX_PATH {
            return Err(Errno::NAMETOOLONG);
        }
        match rustix::fs::statat(CWD, resolved.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = rustix::fs::readlink(resolved.as_slice(), Vec::new())?.into_bytes();
                if target.starts_with(b"/") {
                    resolved.clear();
                } else {
                    remove_last(&mut resolved);
                }
                let rest: usize = left.iter().map(|part| part.len() + 1).sum();
                if target.len() + rest >= MAX_PATH {
                    return Err(Errno::NAMETOOLONG);
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    left.push_front(part);
                }
            }
            Ok(_) => {}
            Err(Errno::NOENT) if left.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    if resolved.is_empty() {
        resolved.push(b'/');
    }
    Ok(resolved)
}

fn remove_last(path: &mut Vec<u8>) {
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    path.truncate(slash);
}

/// What is between the slashes. A slash at the end is followed by an empty part: before it something must exist.
fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|&byte| byte == b'/').map(<[u8]>::to_vec)
}

/// The working directory, without a slash at its end.
pub(super) fn working_directory() -> Result<Vec<u8>, Errno> {
    let mut path = rustix::process::getcwd(Vec::new())?.into_bytes();
    if path == b"/" {
        path.clear();
    }
    Ok(path)
}
