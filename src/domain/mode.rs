//! What happens to a session, and when.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What happens after the last connection of a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Mode {
    /// Kept for the grace period, then destroyed; a reconnect cancels.
    #[default]
    GracePeriod,
    /// Destroyed at once.
    DestroyOnDisconnect,
    /// Kept until its time to live is over, whatever happens.
    Ttl,
    /// Kept until stopped, with a home directory on the host.
    Named,
}

impl Mode {
    /// Every mode as it is written in files, in the order of the documentation.
    pub const NAMES: [&'static str; 5] = ["grace-period", "destroy-on-disconnect", "ttl", "named", "persistent"];

    /// The mode as it is written in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GracePeriod => "grace-period",
            Self::DestroyOnDisconnect => "destroy-on-disconnect",
            Self::Ttl => "ttl",
            Self::Named => "named",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "grace-period" => Ok(Self::GracePeriod),
            "destroy-on-disconnect" => Ok(Self::DestroyOnDisconnect),
            "ttl" => Ok(Self::Ttl),
            "named" | "persistent" => Ok(Self::Named),
            _ => Err(Invalid::new(format!(
                "{} is not a mode; the modes are {}",
                Invalid::quote(text),
                Self::NAMES.join(", ")
            ))),
        }
    }
}

impl TryFrom<String> for Mode {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.as_str().to_owned()
    }
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The row exists; the engine has been or is about to be asked.
    Creating,
    /// The container runs and has a connection, or is about to.
    Running,
    /// The container runs and has no connection.
    Grace,
    /// The container and the network are being removed.
    Destroying,
}

impl State {
    /// The state as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Grace => "grace",
            Self::Destroying => "destroying",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Creating, Self::Running, Self::Grace, Self::Destroying]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Invalid::new(format!("{} is not a session state", Invalid::quote(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_the_same_word_in_json_and_in_the_database() {
        for state in [State::Creating, State::Running, State::Grace, State::Destroying] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
    }

    #[test]
    fn persistent_is_another_word_for_named() {
        assert_eq!("persistent".parse::<Mode>().unwrap(), Mode::Named);
        for name in Mode::NAMES {
            name.parse::<Mode>().unwrap();
        }
        assert!("forever".parse::<Mode>().unwrap_err().to_string().contains("grace-period"));
    }
}
