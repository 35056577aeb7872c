//! What runs inside a container: its PID 1, and the SFTP server for images that have none.
//!
//! One thread, one `poll`, no async runtime, and no libc name services, so that it runs in any image. The root of
//! the container has full control over the guest; input from there and from the broker is bounded, validated, and never
//! waited for.
#![allow(unsafe_code)]

mod accounts;
mod agent;
pub mod agent_keys;
mod binary;
mod broker;
mod channel;
mod config;
mod dotfiles;
mod environment;
pub mod examine;
mod files;
mod guard;
mod hanging_up;
mod home;
mod identity;
mod idle;
mod login;
mod packets;
mod persistent;
mod process;
mod refusal;
pub mod sftp;
mod shell;
mod streams;
mod supervisor;
#[cfg(test)]
mod tests;
mod traffic;

pub use dotfiles::{Dotfiles, run as set_up};

use crate::{
    protocol::guest::{GUEST_SOCKET_DIR, GUEST_SOCKET_NAME},
    sys::signalfd,
};
use config::GuestConfig;
use std::path::{Path, PathBuf};

/// `uid` as it is in this container. A user namespace of the engine's has 65,536 ids as a rule, and every container the
/// same ones: there it is another id, which differs from user to user all the same.
fn own_id(uid: u32) -> u32 {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    accounts::within(&map, uid)
}

/// Runs as PID 1 of a container until a signal stops it. The account that a login needs gets `uid`, unless the image
/// has one of that name or another one with that id. With `persistent_home` the user's home is a mount that
/// outlives the container; a fresh one gets the dotfiles.
///
/// # Errors
///
/// What the kernel refuses at the start; later nothing ends the guest but a signal.
pub fn run(uid: Option<u32>, persistent_home: bool, dotfiles: Option<Dotfiles>) -> std::io::Result<()> {
    guard::refuse_tracers()?;
    // What is large is seldom (a command of 128 KiB, a file of accounts) and goes back to the kernel; left to itself
    // the allocator learns to keep it.
    // SAFETY: sets one number of the allocator; no other thread exists.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024) };
    // Not the engine's umask: `/home` and the like must not be writable for all users.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    signalfd::close_on_exec_from_3();
    signalfd::ignore(libc::SIGHUP);
    signalfd::ignore(libc::SIGPIPE);
    let config = GuestConfig {
        root: PathBuf::from("/"),
        socket: Path::new(GUEST_SOCKET_DIR).join(GUEST_SOCKET_NAME),
        environment: std::env::vars_os().collect(),
        uid: uid.map(own_id),
        home: persistent_home.then(persistent::Persistent::default),
        dotfiles,
        is_init: std::process::id() == 1,
    };
    supervisor::Supervisor::new(config)?.run()
}
