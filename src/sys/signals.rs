//! Signals as readable descriptors, for poll loops.

use rustix::io::Errno;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// A set of signals that no longer interrupt the process but can be read. Signals stay blocked afterwards.
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` in this thread (call it while there is only one) and returns their descriptor, which does
    /// not block.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        // SAFETY: `set` is an initialised signal set that outlives both calls; no old mask is asked for.
        if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next pending signal, if any.
    pub fn read(&self) -> Option<i32> {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.0, &mut info) {
            // ssi_signo is the first field, 32 bits.
            Ok(bytes) if bytes >= 4 => Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]])),
            Ok(_) | Err(Errno::AGAIN) => None,
            Err(_) => None,
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set; sigaddset is given an initialised one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Ends this process by `signal`, so that its parent sees what it would have seen of the process itself.
///
/// No core is dumped: it would be one of this process, which did nothing wrong. Returns only if the signal does not
/// kill.
pub fn die_of(signal: i32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let set = set_of(&[signal]);
    // SAFETY: the pointers are to initialised values of the right types that outlive the calls.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// Ignores `SIGPIPE`, which Rust's runtime does as well, whatever the parent had set.
pub fn ignore_sigpipe() {
    // SAFETY: SIG_IGN installs no code of ours.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}
