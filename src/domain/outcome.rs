//! How a process ended.

use serde::{Deserialize, Serialize};

/// How the process of a connection ended, as wait(2) reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It called exit with this code.
    Exited(u8),
    /// This signal killed it.
    Killed(u8),
}

impl Outcome {
    /// From the raw status word of wait(2); `None` for stopped and continued.
    #[must_use]
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation)] // both are masked to seven or eight bits
    pub const fn from_wait_status(status: i32) -> Option<Self> {
        let signal = (status & 0x7f) as u8;
        match signal {
            0 => Some(Self::Exited(((status >> 8) & 0xff) as u8)),
            0x7f => None,
            _ => Some(Self::Killed(signal)),
        }
    }

    /// The exit code by which a shell would report it: 128 + n for signal n.
    #[must_use]
    pub const fn shell_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128u8.saturating_add(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_distinguishes_codes_and_signals() {
        assert_eq!(Outcome::from_wait_status(3 << 8), Some(Outcome::Exited(3)));
        assert_eq!(Outcome::from_wait_status(9), Some(Outcome::Killed(9)));
        assert_eq!(Outcome::from_wait_status(6 | 0x80), Some(Outcome::Killed(6)));
        assert_eq!(Outcome::from_wait_status(0x137f), None);
        assert_eq!(Outcome::Killed(9).shell_code(), 137);
    }
}
