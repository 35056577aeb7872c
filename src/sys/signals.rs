//! Dying as another process died.

/// Signals that do not end a process by default: dying of them is not possible, and stopping would be for ever.
const NOT_DEADLY: [i32; 8] = [
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGSTOP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGWINCH,
];

/// Ends this process by `signal`, so that its parent sees the same status as from the process itself.
///
/// No core is dumped: it would be one of this process, which did nothing wrong. Returns only if the signal does not
/// kill.
pub fn die_of(signal: i32) {
    if NOT_DEADLY.contains(&signal) {
        return;
    }
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before it is used; every pointer is to a live value of the right type.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_would_stop_this_process_is_not_died_of() {
        for signal in NOT_DEADLY {
            die_of(signal);
        }
    }
}
