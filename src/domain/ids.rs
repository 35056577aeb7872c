//! Identities: of a session, of a connection to it, of what the engine made for it.

use super::{Invalid, text_type};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A session's identity for its whole life: 16 lower-case hexadecimal digits (64 random bits), in the label
/// `podspawn.session`, in the row, in file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(Box<str>);
text_type!(SessionId);

impl SessionId {
    /// The id made of 64 random bits.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("{bits:016x}").into())
    }

    /// The first eight digits, for names that users read.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl FromStr for SessionId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!("{} is not a session id (16 hexadecimal digits)", Invalid::quote(text))))
        }
    }
}

/// Parses what an engine calls an id: short enough for a path, and without anything that a path or URL would read.
fn engine_id(text: &str, what: &str) -> Result<Box<str>, Invalid> {
    let valid = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if valid { Ok(text.into()) } else { Err(Invalid::new(format!("{} is not a {what} id", Invalid::quote(text)))) }
}

/// The engine's id of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(Box<str>);
text_type!(ContainerId);

impl ContainerId {
    /// The first twelve digits, as engines show them.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl FromStr for ContainerId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        engine_id(text, "container").map(Self)
    }
}

/// The engine's id of a network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkId(Box<str>);
text_type!(NetworkId);

impl FromStr for NetworkId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        engine_id(text, "network").map(Self)
    }
}

/// One connection (one SSH channel) to a session. Random, so that a broker that was restarted cannot reuse one
/// that a guest still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_reads_back_what_it_wrote() {
        let id = SessionId::from_bits(0xab);
        assert_eq!(id.as_ref(), "00000000000000ab");
        assert_eq!(id.as_ref().parse::<SessionId>().unwrap(), id);
        for bad in ["", "00000000000000AB", "../../../../etc/", "00000000000000a"] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_engine_id_cannot_name_a_path() {
        for bad in ["", "a/b", "..", "a?b", &"a".repeat(129)] {
            assert!(bad.parse::<ContainerId>().is_err(), "{bad:?}");
        }
    }
}
