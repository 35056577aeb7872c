//! A session as others see it.

use crate::domain::{ContainerName, Mode, SessionId, SessionKey, Span, State};

/// A session at one moment, for lists and for the log.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its identity.
    pub id: SessionId,
    /// The user and the project.
    pub key: SessionKey,
    /// The container's name at the engine.
    pub container: ContainerName,
    /// The state, as it is stored.
    pub state: State,
    /// Open connections.
    pub connections: usize,
    /// The user's id inside; `None` in a container from before users had ids of their own.
    pub uid: Option<u32>,
    /// When its row was written, in Unix seconds.
    pub created: i64,
    /// The image, as configured when it was created.
    pub image: String,
    /// Its mode.
    pub mode: Mode,
    /// How long it exists at most, from its creation; `None` is without a limit.
    pub lifetime: Option<Span>,
    /// Since when the session has had no connection, in Unix seconds.
    pub abandoned: Option<i64>,
    /// When it ends by itself if nothing changes, in Unix seconds; `None` is never.
    pub ends: Option<i64>,
}
