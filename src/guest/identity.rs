//! Acting as the user, and signalling what belongs to the user.
//!
//! A container has no `CAP_KILL` by default, so its root may not signal the processes of others: the guest takes
//! the user's effective uid for the moment of the call. The saved uid stays root's and brings it back.

use rustix::{
    io::Errno,
    process::{Pid, Signal},
    thread::set_thread_res_uid,
};

/// Runs `act` with `uid` as the effective user, so that the kernel checks what the user may do. Without `CAP_SETUID`
/// it runs as the guest's own user.
pub(super) fn as_user<T>(uid: u32, act: impl FnOnce() -> T) -> T {
    let own = rustix::process::geteuid();
    let changed = set_thread_res_uid(None, rustix::process::Uid::from_raw(uid), None).is_ok();
    let result = act();
    if changed {
        // Going back to the saved uid needs no privilege and cannot fail.
        let _ = set_thread_res_uid(None, own, None);
    }
    result
}

/// The process group of a login: its leader was started by the guest and called setsid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) leader: Pid,
    pub(super) uid: u32,
}

impl Group {
    pub(super) fn signal(self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = as_user(self.uid, || rustix::process::kill_process_group(self.leader, signal));
    }

    /// What a terminal that goes away does; SIGCONT lets stopped jobs see it.
    pub(super) fn hang_up(self) {
        self.signal(Signal::HUP);
        self.signal(Signal::CONT);
    }

    pub(super) fn exists(self) -> bool {
        as_user(self.uid, || rustix::process::test_kill_process_group(self.leader)) != Err(Errno::SRCH)
    }
}

/// Sends `signal` to every process of `uid` in the PID namespace except the caller.
///
/// Only for PID 1 of a container: elsewhere it reaches the whole machine, so it does nothing there.
pub(super) fn signal_everyone(uid: u32, signal: Signal) {
    if std::process::id() == 1 {
        // SAFETY: kill touches no memory; -1 means every process that the caller may signal, and PID 1 is spared.
        as_user(uid, || unsafe { libc::kill(-1, signal.as_raw()) });
    }
}

/// The signals that a client may send: those that a terminal or a person at one sends.
pub(super) fn permitted(number: u8) -> Option<Signal> {
    const PERMITTED: [Signal; 9] = [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::TERM,
        Signal::USR1,
        Signal::USR2,
        Signal::WINCH,
        Signal::CONT,
        Signal::TSTP,
    ];
    PERMITTED.into_iter().find(|signal| signal.as_raw() == i32::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sends_what_a_terminal_sends_and_nothing_else() {
        assert_eq!(permitted(1), Some(Signal::HUP));
        assert_eq!(permitted(15), Some(Signal::TERM));
        for refused in [0, 9, 19, 11, 200] {
            assert_eq!(permitted(refused), None, "{refused}");
        }
    }

    #[test]
    fn the_own_identity_comes_back() {
        let before = rustix::process::geteuid();
        as_user(12_345, || ());
        assert_eq!(rustix::process::geteuid(), before);
    }
}
