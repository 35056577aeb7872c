//! The user ids that accounts inside containers get.

use super::Invalid;
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// The least id of a range. Below it are the system's own accounts (`SYS_UID_MAX` of login.defs(5) is 999).
const LEAST: u32 = 1000;
/// The greatest. Programs that keep an id in a signed number misread greater ones.
const GREATEST: u32 = i32::MAX.cast_unsigned();
/// `nobody`, and the id that means "no change" to system calls of 16 bits.
const RESERVED: RangeInclusive<u32> = 65_534..=65_535;

/// A range of user ids, each of which one user gets inside every container of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidRange {
    first: u32,
    last: u32,
}

impl UidRange {
    /// Above the ids of accounts (`UID_MAX` of login.defs(5), systemd's dynamic users, `nobody`: up to 65535) and below
    /// the first subordinate id (`SUB_UID_MIN`, 100000): ids that no distribution allots.
    pub const DEFAULT: Self = Self { first: 65_536, last: 99_999 };

    /// Whether an id is one that a user may have.
    #[must_use]
    pub fn contains(self, uid: u32) -> bool {
        self.ids().contains(&uid)
    }

    /// The ids that users may have, the least first: all but the last.
    #[must_use]
    pub fn ids(self) -> RangeInclusive<u32> {
        self.first..=self.last - 1
    }

    /// The last, which no user has: programs of an image that is examined run as it.
    #[must_use]
    pub const fn examination(self) -> u32 {
        self.last
    }
}

impl FromStr for UidRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let ends = text.split_once('-').and_then(|(first, last)| Some((digits(first)?, digits(last)?)));
        let quoted = Invalid::quote(text);
        let Some((first, last)) = ends.filter(|(first, last)| first < last) else {
            return Err(Invalid::new(format!("{quoted} is not a range of user ids such as 65536-99999")));
        };
        if first < LEAST || last > GREATEST {
            return Err(Invalid::new(format!("{quoted} has user ids outside of {LEAST} to {GREATEST}")));
        }
        if first <= *RESERVED.end() && last >= *RESERVED.start() {
            return Err(Invalid::new(format!("{quoted} includes 65534 or 65535, which are no user's")));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for UidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_back_as_written() {
        for text in ["65536-99999", "1000-1001", "100000-2147483647"] {
            assert_eq!(text.parse::<UidRange>().unwrap().to_string(), text);
        }
        let default = UidRange::DEFAULT;
        assert_eq!(default.to_string().parse::<UidRange>().unwrap(), default);
        assert_eq!((default.ids().count(), default.examination()), (34_463, 99_999));
        assert!(default.contains(65_536) && default.contains(99_998) && !default.contains(99_999));
    }

    #[test]
    fn ids_of_the_system_and_ids_that_mean_nothing_are_no_range() {
        for text in
            ["", "65536", "-", "99999-65536", "70000-70000", "+65536-99999", "65536-99999-1", "65536 - 99999", "0x1-2"]
        {
            assert!(text.parse::<UidRange>().unwrap_err().to_string().contains("such as 65536-99999"), "{text}");
        }
        for text in ["999-2000", "0-5", "70000-4294967295"] {
            assert!(text.parse::<UidRange>().unwrap_err().to_string().contains("outside of"), "{text}");
        }
        for text in ["60000-65534", "65535-70000", "1000-70000"] {
            assert!(text.parse::<UidRange>().unwrap_err().to_string().contains("65534"), "{text}");
        }
    }
}
