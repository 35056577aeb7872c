//! Durations as operators write them: `60s`, `5m`, `1h30m`.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time in whole seconds, at most ten years (so that adding it to a time of day cannot overflow).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const MAX_SECONDS: u64 = 10 * 365 * 86_400;

impl Span {
    /// A span of so many seconds, cut at ten years.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(if seconds > MAX_SECONDS { MAX_SECONDS } else { seconds })
    }

    /// In seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Whether it is 0, which switches off what it measures.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_secs(span.0)
    }
}

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(format!(
                "{} is not a duration such as 60s, 5m, 1h30m or 2d, at most ten years",
                Invalid::quote(text)
            ))
        };
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        let mut smallest = u64::MAX;
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let so_far = number.unwrap_or(0);
                number = Some(so_far.checked_mul(10).and_then(|n| n.checked_add(digit.into())).ok_or_else(invalid)?);
                continue;
            }
            let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == c).ok_or_else(invalid)?;
            // Each unit once, largest first: "30m1h" is more likely a slip than a wish.
            if unit >= smallest {
                return Err(invalid());
            }
            smallest = unit;
            let part = number.take().and_then(|n| n.checked_mul(unit)).ok_or_else(invalid)?;
            total = total.checked_add(part).ok_or_else(invalid)?;
        }
        if number.is_some() || smallest == u64::MAX || total > MAX_SECONDS {
            return Err(invalid());
        }
        Ok(Self(total))
    }
}

impl TryFrom<String> for Span {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut text = String::new();
        for (name, unit) in UNITS {
            if rest >= unit {
                text = format!("{text}{}{name}", rest / unit);
                rest %= unit;
            }
        }
        f.pad(if text.is_empty() { "0s" } else { &text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("1h30m", 5_400), ("2d", 172_800), ("0s", 0), ("90s", 90)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.as_secs(), seconds, "{text}");
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
        assert_eq!(Span::from_secs(5_400).to_string(), "1h30m");
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for bad in ["", "60", "s", "1x", "30m1h", "1m1m", "-5s", "99999999999999999999s", "11000d", "1.5h", " 5s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }
}
