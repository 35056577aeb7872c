//! Events that the engine reports of its own accord.

use crate::domain::ContainerId;

/// An event of a container of podspawn's, caused by any user of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The engine answers, and from now on nothing is missed. The containers should be examined once: how long
    /// they were not watched is unknown.
    Watching,
    /// The engine was asked to send the first process a signal, as `docker stop`, `kill` and `rm --force` ask.
    Signalled {
        /// Which container.
        container: ContainerId,
        /// Which signal.
        signal: i32,
    },
    /// There was not enough memory for a process inside, which is no end of the container. A tenant can make that happen a
    /// thousand times a second: the receiver must do next to nothing.
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
