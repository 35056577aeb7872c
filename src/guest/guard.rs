//! What sets the guest apart from the processes that it starts.

use crate::protocol::guest::MAX_OPEN_FILES;
use rustix::{
    io::Errno,
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};

/// Keeps the container's root from attaching to this process, from reading and writing its memory, and from taking its
/// descriptors (ptrace(2), `process_vm_readv(2)`, `pidfd_getfd(2)`, `/proc/1/mem`, `/proc/1/fd`). With `CAP_SYS_PTRACE`,
/// which no container has by default, root may do so all the same.
///
/// To be called before anything else. Until then the process can be attached to, but no process exists that could: it is
/// the first of its PID namespace and starts every other. Its children inherit this until they execute a program.
pub(super) fn refuse_tracers() -> Result<(), Errno> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Leaves this process, and whatever it starts, fewer descriptors than the guest has; see [`MAX_OPEN_FILES`].
///
/// Two system calls, so it may run between fork and exec.
pub(super) fn limit_open_files() -> Result<(), Errno> {
    let most = getrlimit(Resource::Nofile).maximum.map_or(MAX_OPEN_FILES, |own| own.min(MAX_OPEN_FILES));
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })
}
