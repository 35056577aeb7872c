//! The program that runs as the guest, for processes of the container.

use crate::protocol::guest::GUEST_BINARY;
use std::path::PathBuf;

/// This program, for a process in the container.
pub(super) fn own_binary() -> PathBuf {
    // The mount's path is the fallback where the container's root has hidden /proc.
    let program = ["/proc/self/exe", GUEST_BINARY].into_iter().map(PathBuf::from).find(|path| path.exists());
    program.unwrap_or_else(|| GUEST_BINARY.into())
}
