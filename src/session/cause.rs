//! Why sessions end, in few words that can be counted; the words that people read are beside them.

use super::exit_cause::ExitCause;

/// What ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The last connection, in a mode that keeps nothing.
    Disconnect,
    /// Nobody came back.
    GracePeriod,
    /// It was as old as it may get.
    Lifetime,
    /// Somebody stopped it with podspawn.
    Stopped,
    /// Its container was killed for want of memory.
    OutOfMemory,
    /// Its container ended otherwise, by itself or by other hands.
    ContainerEnded,
}

impl Cause {
    /// As it is counted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::GracePeriod => "grace_period",
            Self::Lifetime => "lifetime",
            Self::Stopped => "stopped",
            Self::OutOfMemory => "out_of_memory",
            Self::ContainerEnded => "container_ended",
        }
    }
}

impl From<ExitCause> for Cause {
    fn from(cause: ExitCause) -> Self {
        if cause == ExitCause::OutOfMemory { Self::OutOfMemory } else { Self::ContainerEnded }
    }
}
