//! Reading a mapping key by key, collecting every mistake instead of stopping at the first.
//!
//! A key is known if the code asks for it; every other key of the file is unknown. No second list of names can drift from
//! the code that reads them.

use super::{
    error::ConfigError,
    value::quote,
    yaml::{Node, Value},
};
use std::{cell::RefCell, fmt::Display, str::FromStr};

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<ConfigError>>);

impl Mistakes {
    pub(super) fn at(&self, node: &Node, message: &str) {
        self.0.borrow_mut().push(ConfigError::new(node.line, node.column, message));
    }

    /// `value` if there were none; all of them, in the order of the file, otherwise.
    pub(super) fn or<T>(self, value: T) -> Result<T, Vec<ConfigError>> {
        let mut mistakes = self.0.into_inner();
        if mistakes.is_empty() {
            return Ok(value);
        }
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        Err(mistakes)
    }
}

/// One mapping of the file while it is read.
pub(super) struct Fields<'a> {
    mistakes: &'a Mistakes,
    /// Where the mapping, or better the key that names it, stands.
    place: &'a Node,
    /// `defaults`, `security.tmpfs`; empty at the top.
    path: String,
    /// Key node, key, value. The first of duplicates.
    entries: Vec<(&'a Node, &'a str, &'a Node)>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The mapping at `node`. A null is an empty mapping: it is a section whose lines are all commented out.
    pub(super) fn of(place: &'a Node, node: &'a Node, path: &str, mistakes: &'a Mistakes) -> Self {
        let mut entries: Vec<(&Node, &str, &Node)> = Vec::new();
        match &node.value {
            Value::Null => {}
            Value::Map(pairs) => {
                for (key_node, value) in pairs {
                    let Value::Text(key) = &key_node.value else {
                        mistakes.at(key_node, "a key must be a plain word");
                        continue;
                    };
                    match entries.iter().find(|(_, known, _)| known == key) {
                        Some((first, _, _)) => {
                            let name = join(path, key);
                            mistakes.at(key_node, &format!("{name} is given twice, first in line {}", first.line));
                        }
                        None => entries.push((key_node, key, value)),
                    }
                }
            }
            Value::Text(_) | Value::List(_) => {
                let what = if path.is_empty() { "the file" } else { path };
                mistakes.at(node, &format!("{what} must be a mapping of keys to values"));
            }
        }
        Self { mistakes, place, path: path.to_owned(), entries, asked: Vec::new() }
    }

    pub(super) fn mistakes(&self) -> &'a Mistakes {
        self.mistakes
    }

    /// The full name of a key of this mapping, for messages.
    pub(super) fn name(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Every entry, for a mapping whose keys are the operator's own names.
    pub(super) fn entries(self) -> Vec<(&'a Node, &'a str, &'a Node)> {
        self.entries
    }

    /// The key and the value of a key, if it is given.
    fn entry(&mut self, key: &'static str) -> Option<(&'a Node, &'a Node)> {
        self.asked.push(key);
        self.entries.iter().find(|(_, known, _)| *known == key).map(|(place, _, value)| (*place, *value))
    }

    /// The value of a key, if it is given.
    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A nested mapping; `None` if it is absent.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Fields<'a>) -> T) -> Option<T> {
        let (place, node) = self.entry(key)?;
        Some(Fields::of(place, node, &self.name(key), self.mistakes).all(read))
    }

    /// A nested mapping whose keys are the operator's own names: key node, key, value.
    pub(super) fn names(&mut self, key: &'static str) -> Vec<(&'a Node, &'a str, &'a Node)> {
        let Some((place, node)) = self.entry(key) else { return Vec::new() };
        Fields::of(place, node, &self.name(key), self.mistakes).entries
    }

    /// Lets `read` ask for every key, and reports the others as unknown.
    pub(super) fn all<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let value = read(&mut self);
        self.refuse_unknown();
        value
    }

    /// A value by its own rules; a mistake is reported with the key's name.
    pub(super) fn read_with<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let node = self.node(key)?;
        let name = self.name(key);
        parsed(node, &name, self.mistakes, parse)
    }

    /// A setting that may be absent.
    pub(super) fn optional<T: FromStr>(&mut self, key: &'static str) -> Option<T>
    where
        T::Err: Display,
    {
        self.read_with(key, str::parse)
    }

    /// A setting that may not be absent; `None` has been reported.
    pub(super) fn required<T: FromStr>(&mut self, key: &'static str) -> Option<T>
    where
        T::Err: Display,
    {
        if !self.entries.iter().any(|(_, known, _)| *known == key) {
            self.mistakes.at(self.place, &format!("{} is missing", self.name(key)));
        }
        self.optional(key)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.read_with(key, |text| match text {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err(format!("{} is neither true nor false", quote(text))),
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
        self.read_with(key, |text| match text.parse() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            _ => Err(format!("{} is not a number from {} to {}", quote(text), bounds.start(), bounds.end())),
        })
    }

    /// Reads a list, each item by its own rules; `None` if the key is absent.
    pub(super) fn list<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let node = self.node(key)?;
        let name = self.name(key);
        let Value::List(items) = &node.value else {
            self.mistakes.at(node, &format!("{name} must be a list such as [a, b]"));
            return None;
        };
        Some(items.iter().filter_map(|item| parsed(item, &name, self.mistakes, &parse)).collect())
    }

    fn refuse_unknown(&self) {
        for (node, key, _) in &self.entries {
            if self.asked.contains(key) {
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
            let hint = nearest(key, &self.asked).map_or_else(
                || format!("the keys{place} are {}", self.asked.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            self.mistakes.at(node, &format!("unknown key {}{place}; {hint}", quote(key)));
        }
    }
}

/// The scalar at `node` by its own rules.
pub(super) fn parsed<T, E: Display>(
    node: &Node,
    name: &str,
    mistakes: &Mistakes,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    match &node.value {
        Value::Text(text) => match parse(text) {
            Ok(value) => return Some(value),
            Err(error) => mistakes.at(node, &format!("{name}: {error}")),
        },
        Value::Null => mistakes.at(node, &format!("{name} has no value; without the line it is the default")),
        Value::List(_) => mistakes.at(node, &format!("{name} must be one value, not a list")),
        Value::Map(_) => mistakes.at(node, &format!("{name} must be one value, not a mapping")),
    }
    None
}

fn join(path: &str, key: &str) -> String {
    let key: String = key.chars().take(64).collect();
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The known key that `key` was probably meant to be.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    // A long key is no slip of the finger, and the distance costs its length squared.
    if key.len() > 64 {
        return None;
    }
    let key = key.to_ascii_lowercase().replace('-', "_");
    let (distance, near) = known.iter().map(|name| (strsim::levenshtein(&key, name), *name)).min()?;
    // A third of the letters wrong is still a slip; more is another word.
    (distance <= near.len().max(3) / 3).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_another_word_does_not() {
        let known = ["grace_period", "max_lifetime", "ttl", "mode"];
        assert_eq!(nearest("grace_perod", &known), Some("grace_period"));
        assert_eq!(nearest("gracePeriod", &known), Some("grace_period"));
        assert_eq!(nearest("grace-period", &known), Some("grace_period"));
        assert_eq!(nearest("tll", &known), Some("ttl"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
    }
}
