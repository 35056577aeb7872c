//! Why a container ended that podspawn did not end.

use crate::{domain::Cause, engine::ContainerStatus};
use std::fmt;

/// The signals of the engine's stop, and of its kill and forced removal.
const TERM: i32 = 15;
const KILL: i32 = 9;

/// What is known of a container beside the answer of the engine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clues {
    /// Its first process.
    pub(super) init: Option<u32>,
    /// The decisive one of the signals that the engine sent to it.
    pub(super) signal: Option<i32>,
    /// Whether the container ran out of memory just now; `None` if events were not received. The engine's own answer
    /// covers the whole life of the container.
    pub(super) memory: Option<bool>,
}

/// Why a container ended, as far as the engine reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitCause {
    /// The kernel killed the first process for lack of memory. The end of another process ends no container.
    OutOfMemory,
    /// The engine was asked to stop it, or was stopped itself.
    Stopped {
        /// That of the first process.
        exit_code: i64,
    },
    /// The engine was asked to kill it.
    KilledByEngine,
    /// The first process was killed, not by the engine.
    Killed {
        /// The number of the signal.
        signal: i64,
    },
    /// The first process ended by itself.
    Exited {
        /// That of the first process.
        exit_code: i64,
    },
    /// It was removed, not by podspawn.
    Removed,
    /// It was started again, not by podspawn: its first process is another than that of the session.
    Restarted,
}

impl ExitCause {
    /// The cause behind an answer of the engine; `None` while the container runs.
    pub(super) fn of(status: &ContainerStatus, clues: Clues) -> Option<Self> {
        let Clues { init, signal, memory } = clues;
        if status.running {
            let another = init.is_some() && status.pid.is_some() && init != status.pid;
            return another.then_some(Self::Restarted);
        }
        let exit_code = status.exit_code.unwrap_or_default();
        Some(match (exit_code, signal) {
            _ if status.removing => Self::Removed,
            (_, Some(TERM)) => Self::Stopped { exit_code },
            (137, Some(_)) => Self::KilledByEngine,
            (137, None) if memory.unwrap_or(status.oom_killed) => Self::OutOfMemory,
            (129..=192, _) => Self::Killed { signal: exit_code - 128 },
            _ => Self::Exited { exit_code },
        })
    }

    /// Whether the engine may learn a moment later that memory was the reason.
    pub(super) fn may_be_memory(self) -> bool {
        self == Self::Killed { signal: KILL.into() }
    }

    /// The line for the users who were connected.
    pub(super) fn for_user(self) -> String {
        match self {
            Self::Exited { .. } => format!("your container {self}"),
            Self::Stopped { .. } => "your container was stopped by the engine".to_owned(),
            _ => format!("your container was {self}"),
        }
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory => f.write_str("killed: out of memory"),
            Self::Stopped { exit_code } => write!(f, "stopped by the engine, exit code {exit_code}"),
            Self::KilledByEngine => f.write_str("killed by the engine"),
            Self::Killed { signal } => write!(f, "killed by signal {signal}"),
            Self::Exited { exit_code } => write!(f, "ended with exit code {exit_code}"),
            Self::Removed => f.write_str("removed outside of podspawn"),
            Self::Restarted => f.write_str("restarted outside of podspawn"),
        }
    }
}

/// The decisive one of two signals: an engine that stops a container sends TERM first, and KILL if that is not enough.
pub(super) fn decisive_signal(before: Option<i32>, now: i32) -> Option<i32> {
    match (before, now) {
        (_, TERM) | (None, KILL) => Some(now),
        _ => before,
    }
}

impl From<ExitCause> for Cause {
    fn from(cause: ExitCause) -> Self {
        if cause == ExitCause::OutOfMemory { Self::OutOfMemory } else { Self::ContainerEnded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(exit_code: i64, oom_killed: bool) -> ContainerStatus {
        ContainerStatus { running: false, pid: None, oom_killed, exit_code: Some(exit_code), removing: false }
    }

    fn clues(signal: Option<i32>, memory: Option<bool>) -> Clues {
        Clues { init: Some(7), signal, memory }
    }

    #[test]
    fn every_cause_has_its_line() {
        let removing = ContainerStatus { removing: true, ..ended(137, true) };
        for (status, clues, words) in [
            (ended(137, true), clues(None, None), "your container was killed: out of memory"),
            (ended(137, false), clues(None, Some(true)), "your container was killed: out of memory"),
            // The shortage was another's, an hour ago.
            (ended(137, true), clues(None, Some(false)), "your container was killed by signal 9"),
            (ended(137, true), clues(Some(KILL), Some(true)), "your container was killed by the engine"),
            (ended(143, false), clues(Some(TERM), None), "your container was stopped by the engine"),
            (ended(3, true), clues(None, Some(true)), "your container ended with exit code 3"),
            (removing, clues(Some(KILL), None), "your container was removed outside of podspawn"),
        ] {
            assert_eq!(ExitCause::of(&status, clues).unwrap().for_user(), words);
        }
    }

    #[test]
    fn a_container_that_runs_has_not_ended_unless_its_first_process_is_another() {
        let runs = |pid| ContainerStatus { running: true, pid, exit_code: None, ..ended(0, true) };
        assert_eq!(ExitCause::of(&runs(Some(7)), clues(Some(KILL), Some(true))), None);
        assert_eq!(ExitCause::of(&runs(None), clues(None, None)), None);
        assert_eq!(ExitCause::of(&runs(Some(8)), Clues::default()), None);
        assert_eq!(ExitCause::of(&runs(Some(8)), clues(None, None)), Some(ExitCause::Restarted));
    }

    #[test]
    fn a_stop_that_has_to_kill_is_a_stop_and_other_signals_end_nothing() {
        let heard = |signals: &[i32]| signals.iter().fold(None, |before, now| decisive_signal(before, *now));
        assert_eq!(heard(&[TERM, KILL]), Some(TERM));
        assert_eq!(heard(&[1, KILL]), Some(KILL));
        assert_eq!(heard(&[1, 28]), None);
    }
}
