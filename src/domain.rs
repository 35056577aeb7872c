//! Names, ids, modes, durations and sizes: each parsed once at the border into a type that cannot be wrong.
//!
//! Nothing here knows a file, a socket, a clock or another module.

mod cause;
mod container;
mod duration;
mod ids;
pub mod markdown;
mod mode;
mod names;
mod outcome;
mod plain;
mod removed;
pub mod size;
mod subnet;
pub mod text;
mod uid_range;

pub use cause::Cause;
pub use container::{Bind, Cpus, Hardening, Limits};
pub use duration::Span;
pub use ids::{ChannelId, ContainerId, NetworkId, SessionId};
pub use mode::{Mode, State};
pub use names::{ContainerName, ImageRef, ProjectName, SessionKey, UserName};
pub use outcome::Outcome;
pub use plain::{chain, plain};
pub use removed::{Removed, RemovedKind};
pub use size::Size;
pub use subnet::{Pool, Subnet};
pub use uid_range::UidRange;

/// Why a text is not a valid value of a domain type.
///
/// The message says what is wrong and what would be right, and quotes at most the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// `text` quoted and shortened, for a message that must stay one line.
    fn quote(text: &str) -> String {
        let mut short: String = text.chars().take(40).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        format!("{short:?}")
    }
}

/// Implements the conversions that every validated text type has: `Display`, `AsRef<str>`, serde both ways.
macro_rules! text_type {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_ref())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = $crate::domain::Invalid;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    };
}
pub(crate) use text_type;
