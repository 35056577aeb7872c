//! Signals as a descriptor that poll(2) waits for, and dispositions as a new process expects them.

use rustix::io::Errno;
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Signals that are blocked and read instead of delivered.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` for the calling thread and makes them readable.
    pub fn new(signals: &[libc::c_int]) -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the whole set, which lives until the end of the function.
        let mut set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        };
        for &signal in signals {
            // SAFETY: `set` is initialised; an invalid number is refused and changes nothing.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        // SAFETY: `set` is initialised; a null old set is allowed.
        let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: `set` is initialised; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next pending signal's number; `None` when there is none.
    pub fn next(&self) -> Result<Option<u32>, Errno> {
        let mut information = [0u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.0, &mut information) {
            // `ssi_signo` is the first field.
            Ok(n) if n == information.len() => Ok(information.first_chunk().map(|number| u32::from_ne_bytes(*number))),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ignores `signal` in this process.
pub fn ignore(signal: libc::c_int) {
    // SAFETY: SIG_IGN runs no code of ours; an invalid number is refused.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Gives every signal its default disposition and blocks none, as a program expects at its start.
///
/// Makes only async-signal-safe calls, so it may run between fork and exec.
pub fn restore_defaults() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL runs no code of ours; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set before it is read; a null old set is allowed.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Marks every descriptor from 3 up close-on-exec. An old kernel or a strict seccomp filter may refuse; whatever this
/// program opens is close-on-exec anyway.
///
/// One system call, so it may run between fork and exec.
pub fn close_on_exec_from_3() {
    // SAFETY: changes flags of descriptors only, and closes none.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_is_read_once() {
        let signals = SignalFd::new(&[libc::SIGUSR2]).unwrap();
        assert_eq!(signals.next().unwrap(), None);
        // SAFETY: the signal is blocked in this thread, which is the one that it is sent to.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
        assert_eq!(signals.next().unwrap(), Some(u32::try_from(libc::SIGUSR2).unwrap()));
        assert_eq!(signals.next().unwrap(), None);
    }
}
