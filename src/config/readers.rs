//! How the values of a configuration are read, and how the reference describes them.

use super::{
    fields::Fields,
    keys::{Reader, Values},
    value::{AbsolutePath, EngineHost, LoginShell, Wrong, quote},
};
use crate::domain::{Cpus, ImageRef, Invalid, Mode, Size, Span, Subnet, UidRange};
use std::{fmt::Display, str::FromStr};

/// The smallest memory limit that the engine takes.
const MIN_MEMORY_BYTES: u64 = 6 << 20;

pub(super) const PATH: Reader<AbsolutePath> = Reader::new("an absolute path", one);
pub(super) const OPTIONAL_PATH: Reader<Option<AbsolutePath>> =
    Reader::new("an absolute path, or `\"\"` for none", |fields, key| optional(fields, key, str::parse));
pub(super) const FLAG: Reader<bool> = Reader::new("`true` or `false`", flag);
pub(super) const IMAGE: Reader<ImageRef> = Reader::new("an image such as `debian:12`", one);
pub(super) const SHELL: Reader<LoginShell> = Reader::new("the absolute path of a shell in the image", one);
pub(super) const CPUS: Reader<Cpus> =
    Reader::new("a number of processors such as `0.5` or `2`", |fields, key| fields.read_with(key, cpus));
pub(super) const MEMORY: Reader<Size> =
    Reader::new("a size such as `512m` or `2g`, at least `6m`", |fields, key| fields.read_with(key, memory));
pub(super) const MODE: Reader<Mode> =
    Reader::new("`grace-period`, `destroy-on-disconnect`, `ttl`, `named` or `persistent`", one);
pub(super) const SPAN: Reader<Span> = Reader::new("a duration such as `60s`, `5m`, `1h30m` or `2d`", one);
pub(super) const TTL: Reader<Span> =
    Reader::new("a duration of more than `0s`", |fields, key| fields.read_with(key, ttl));
pub(super) const SUBNET: Reader<Subnet> = Reader::new("an IPv4 network such as `10.209.0.0/16`", one);
pub(super) const ENGINE: Reader<EngineHost> = Reader::new("a socket: `unix://` and its absolute path", one);
pub(super) const UID_RANGE: Reader<UidRange> = Reader::new("a range of user ids such as `65536-99999`", one);

/// A whole number within bounds.
pub(super) const fn number<const MIN: u32, const MAX: u32>() -> Reader<u32> {
    Reader { values: Values::Range(MIN, MAX), read: |fields, key| fields.number(key, MIN..=MAX) }
}

/// A value by the rules of its type.
fn one<T: FromStr<Err: Display>>(fields: &mut Fields<'_>, key: &'static str) -> Option<T> {
    fields.optional(key)
}

fn flag(fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
    fields.flag(key)
}

/// A value by `parse`, or `None` for the empty text.
#[allow(clippy::option_option)] // the outer one is an absent key, which keeps the default
pub(super) fn optional<T, E: Display>(
    fields: &mut Fields<'_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    fields.read_with(key, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
}

fn cpus(text: &str) -> Result<Cpus, String> {
    let number: f64 = text.parse().map_err(|_| format!("{} is not a number of cpus such as 2.0", quote(text)))?;
    Cpus::try_from(number).map_err(|invalid| invalid.to_string())
}

fn memory(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|invalid: Invalid| invalid.to_string())?;
    if size.as_bytes() < MIN_MEMORY_BYTES {
        return Err(format!("{} is less than the 6m that the engine needs; 2g is two gibibytes", quote(text)));
    }
    Ok(size)
}

fn ttl(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|invalid: Invalid| invalid.to_string())?;
    if span.is_zero() {
        return Err(
            Wrong::new(text, "a time to live, which is more than 0s; mode named keeps until stopped").to_string()
        );
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_mode() {
        let named = MODE.values.to_string();
        assert_eq!(named.matches('`').count(), 2 * Mode::NAMES.len());
        assert!(Mode::NAMES.iter().all(|mode| named.contains(&format!("`{mode}`"))), "{named}");
    }
}
