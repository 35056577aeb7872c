//! YAML text to a tree that knows its places.
//!
//! The only file that names the YAML library. Scalars keep the text as written: `1.10` stays `1.10` and `no` stays
//! `no`; the type that reads a text gives it a meaning. The bounds of a file are set here, before it is read.

use super::error::ConfigError;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    DuplicateKeyPolicy, Location, MergeKeyPolicy, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned,
    UserMessageFormatter,
};
use std::fmt;

/// Largest file, in bytes. A thousand projects fit a tenth of it.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar as written, quotes and escapes resolved.
    Text(String),
    List(Vec<Node>),
    /// Entries in the order of the file, duplicates included.
    Map(Vec<(Node, Node)>),
}

/// The tree of the one document in `text`; an empty text is [`Value::Null`].
pub(super) fn parse(text: &str) -> Result<Node, ConfigError> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("{} bytes are more than the {MAX_FILE_BYTES} that a file may have", text.len());
        return Err(ConfigError::new(1, 1, &message));
    }
    match serde_saphyr::from_str_with_options::<Raw>(text, options()) {
        Ok(raw) => Ok(raw.settle(text)),
        Err(error) => {
            let error = error.without_snippet();
            let place = error.location().unwrap_or(Location::UNKNOWN);
            let message = UserMessageFormatter.format_message(error);
            Err(ConfigError::new(place.line().max(1), place.column().max(1), &message))
        }
    }
}

/// Anchors work, bombs do not: what aliases expand to counts against the same bounds as text.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 8,
            max_documents: 1,
            max_events: 100_000,
            max_nodes: 50_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 50_000,
            max_recorded_anchor_bytes: MAX_FILE_BYTES,
            max_total_scalar_bytes: MAX_FILE_BYTES,
            max_inclusion_depth: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 8,
        },
        // The reader reports them, with both places and all other mistakes.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // A merge hides where a setting comes from.
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// A node as the library delivers it.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Null,
    Text(String),
    /// A scalar that the library resolved to a bool or a number; the argument is only for when the place of the text
    /// is unknown.
    Resolved(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn settle(self, source: &str) -> Node {
        let value = match self.0.value {
            RawValue::Null => Value::Null,
            RawValue::Text(text) => Value::Text(text),
            RawValue::Resolved(fallback) => Value::Text(written(source, self.0.defined).unwrap_or(fallback)),
            RawValue::List(items) => Value::List(items.into_iter().map(|item| item.settle(source)).collect()),
            RawValue::Map(entries) => {
                Value::Map(entries.into_iter().map(|(key, value)| (key.settle(source), value.settle(source))).collect())
            }
        };
        Node { line: self.0.referenced.line(), column: self.0.referenced.column(), value }
    }
}

/// The text at a place of the source.
fn written(source: &str, place: Location) -> Option<String> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(place.span().byte_len()?).ok()?)?;
    let text = source.get(start..end)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Resolved(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Resolved(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Resolved(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Resolved(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let Value::Map(entries) = parse(text).unwrap().value else { panic!("no map") };
        entries
            .into_iter()
            .map(|(_, node)| match node.value {
                Value::Text(text) => text,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn scalars_keep_the_text_as_written() {
        let text =
            "a: 1.10\nb: no\nc: 0x10 # comment\nd: TRUE\ne: \"7\"\nf: 'it''s'\ng: .inf\nh: 010\ni: 1_000\nk: -5\n";
        assert_eq!(texts(text), ["1.10", "no", "0x10", "TRUE", "7", "it's", ".inf", "010", "1_000", "-5"]);
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let Value::Map(entries) = parse("a: 1\nbé: [x, {y: zz}]\n").unwrap().value else { panic!("no map") };
        assert_eq!((entries[1].0.line, entries[1].0.column), (2, 1));
        let Value::List(items) = &entries[1].1.value else { panic!("no list") };
        assert_eq!((items[0].line, items[0].column), (2, 6));
        let Value::Map(inner) = &items[1].value else { panic!("no map") };
        assert_eq!((inner[0].1.line, inner[0].1.column), (2, 13));
    }

    #[test]
    fn an_empty_file_is_null() {
        for text in ["", "\n\n", "# nothing\n", "---\n", "~"] {
            assert!(matches!(parse(text).unwrap().value, Value::Null), "{text:?}");
        }
    }

    #[test]
    fn a_syntax_error_is_one_line_with_its_place() {
        for (text, line) in [("a: [1,\nb: 2\n", 1), ("a: 1\n b: 2\n", 2), ("a: \"x", 1), ("a: 1\n---\nb: 1\n", 2)] {
            let error = parse(text).unwrap_err();
            assert!(error.line >= line, "{text:?}: {error}");
            assert!(!error.message.contains('\n'), "{error}");
        }
    }

    #[test]
    fn an_alias_works_and_a_bomb_does_not() {
        assert_eq!(texts("a: &x 1.50\nb: *x\n"), ["1.50", "1.50"]);
        let mut bomb = vec!["a: &a [x,x,x,x,x,x,x,x,x,x]".to_owned()];
        for (before, name) in "abcde".chars().zip("bcdef".chars()) {
            bomb.push(format!("{name}: &{name} [{}]", vec![format!("*{before}"); 10].join(",")));
        }
        parse(&bomb.join("\n")).unwrap_err();
        parse(&"[".repeat(100_000)).unwrap_err();
        parse(&" ".repeat(MAX_FILE_BYTES + 1)).unwrap_err();
    }

    #[test]
    fn a_merge_key_is_refused() {
        parse("a: &a {x: 1}\nb:\n  <<: *a\n").unwrap_err();
    }
}
