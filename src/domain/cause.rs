//! The causes that end a session: few enough to be a label of a metric.

/// What ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The last connection ended, in a mode that keeps no container.
    Disconnect,
    /// The grace period passed without a login.
    GracePeriod,
    /// Its maximum lifetime is over.
    Lifetime,
    /// A user or an administrator stopped it with podspawn.
    Stopped,
    /// The kernel killed the container's first process for want of memory.
    OutOfMemory,
    /// The container ended for another reason, by itself or from outside of podspawn.
    ContainerEnded,
}

impl Cause {
    /// The value of the metric's label.
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
