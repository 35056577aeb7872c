//! The name of a backup: the second in which it was begun, in UTC, so that names are in the order of time.

use std::{fmt, path::Path, str::FromStr};

const FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// The prefix of a backup that is not complete yet, or no longer.
const PARTIAL: &str = ".partial-";

/// The name of a backup: `20260315T101530Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName(String);

impl BackupName {
    /// The name for this second.
    #[must_use]
    pub fn of(at: jiff::Timestamp) -> Self {
        Self(at.strftime(FORMAT).to_string())
    }

    /// The second, since the epoch.
    #[must_use]
    pub fn second(&self) -> i64 {
        let time = jiff::civil::DateTime::strptime(FORMAT, &self.0);
        let time = time.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
        // The name was parsed when it was read.
        time.map_or(0, |time| time.timestamp().as_second())
    }

    /// The name while it is being written or removed.
    pub(super) fn partial(&self) -> String {
        format!("{PARTIAL}{}", self.0)
    }

    /// The name that [`Self::partial`] was made of.
    pub(super) fn of_partial(name: &Path) -> Option<Self> {
        name.to_str()?.strip_prefix(PARTIAL)?.parse().ok()
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for BackupName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let time = jiff::civil::DateTime::strptime(FORMAT, text).map_err(drop)?;
        // The parser takes a year of fewer digits; only what we would write is ours.
        if time.strftime(FORMAT).to_string() == text { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_time_and_nothing_else_is_one() {
        let name = |second: i64| BackupName::of(jiff::Timestamp::from_second(second).unwrap());
        assert_eq!(name(1_773_569_730).to_string(), "20260315T101530Z");
        assert_eq!(name(1_773_569_730).second(), 1_773_569_730);
        assert!(name(1_773_569_730) < name(1_773_569_731) && name(1_773_569_731) < name(1_893_456_000));
        assert_eq!("20260315T101530Z".parse(), Ok(name(1_773_569_730)));
        assert_eq!(BackupName::of_partial(Path::new(".partial-20260315T101530Z")), Some(name(1_773_569_730)));
        for other in
            ["", "20260315", "20261315T101530Z", "20260315T101530Z ", "20260315T101530", "2026315T101530Z", "x"]
        {
            assert_eq!(other.parse::<BackupName>(), Err(()), "{other:?}");
            assert_eq!(BackupName::of_partial(Path::new(other)), None);
        }
        assert_eq!(BackupName::of_partial(Path::new(".partial-x")), None);
    }
}
