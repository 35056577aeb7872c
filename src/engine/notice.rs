//! What the engine tells by itself.

use crate::domain::ContainerId;

/// Something that happened to a container of ours, whoever did it.
///
/// Not told: that a process inside ran out of memory. A tenant can make that happen a thousand times a second, and how
/// the first process ended shows when it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The engine answers, and from now on nothing is missed. What it is about should be looked at once: how long it
    /// was not watched is unknown.
    Watching,
    /// Somebody asked the engine to send the first process a signal, as `docker stop`, `kill` and `rm --force` do.
    Signalled {
        /// Which container.
        container: ContainerId,
        /// Which signal.
        signal: i32,
    },
    /// The first process has ended.
    Ended {
        /// Which container.
        container: ContainerId,
    },
    /// The container exists no more.
    Removed {
        /// Which container.
        container: ContainerId,
    },
}
