//! Amounts of memory as operators write them: `512m`, `2g`, `2GiB`.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A number of bytes, at most 2^53 (what JSON and the engine's API carry exactly).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

const MAX_BYTES: u64 = 1 << 53;
const UNITS: [(&str, u64); 4] = [("t", 1 << 40), ("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)];

impl Size {
    /// In bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(format!("{} is not a size such as 512m, 2g or 2GiB", Invalid::quote(text)));
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
        let suffix = text[digits..].to_ascii_lowercase();
        // As for engines, g, gb and gib are all 2^30.
        let unit = suffix.strip_suffix("ib").or_else(|| suffix.strip_suffix('b')).unwrap_or(&suffix);
        let factor = match unit {
            "" => 1,
            _ => UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?.1,
        };
        number.checked_mul(factor).filter(|bytes| *bytes <= MAX_BYTES).map(Self).ok_or_else(invalid)
    }
}

impl TryFrom<String> for Size {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.into_iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        f.pad(&match exact {
            Some((name, unit)) => format!("{}{name}", self.0 / unit),
            None => self.0.to_string(),
        })
    }
}

/// A number of bytes as it is shown: `1.5 GiB`, cut to one digit behind the point.
#[must_use]
pub fn rounded(bytes: u64) -> String {
    let unit = UNITS.into_iter().skip(1).find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(name, unit)| {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {}iB", tenths / 10, tenths % 10, name.to_uppercase())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_bytes_is_shown_in_the_largest_unit_that_fits() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (5 << 40, "5120.0 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(rounded(bytes), shown);
        }
    }

    #[test]
    fn sizes_read_as_an_engine_reads_them() {
        for (text, bytes) in
            [("512m", 512 << 20), ("2g", 2 << 30), ("2GiB", 2 << 30), ("2GB", 2 << 30), ("7", 7), ("7b", 7)]
        {
            assert_eq!(text.parse::<Size>().unwrap().as_bytes(), bytes, "{text}");
        }
        assert_eq!("2GiB".parse::<Size>().unwrap().to_string(), "2g");
        for bad in ["", "g", "2x", "-1g", "1.5g", "99999999999t", "2 g"] {
            assert!(bad.parse::<Size>().is_err(), "{bad:?}");
        }
    }
}
