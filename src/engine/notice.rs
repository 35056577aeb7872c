//! What the engine tells by itself.

use crate::domain::ContainerId;

/// Something that happened to a container of ours, whoever did it.
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
    /// There was not enough memory for a process inside, which is no end of the container. A tenant can make that happen a
    /// thousand times a second: whoever hears it must do next to nothing.
    OutOfMemory {
        /// Which container.
        container: ContainerId,
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
