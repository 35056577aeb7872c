//! The table of keys of all files, with types, defaults and meanings.
//!
//! [`section!`] makes a section's struct, its defaults, its reader and its rows of the table from one list, so a new key
//! is one entry in that list. The reference in `docs/` and the check of the shipped `config.yaml` read the table.

use super::{
    fields::{Fields, Mistakes},
    yaml,
};
use std::fmt;

/// The version that a key is of unless its entry says otherwise.
pub(super) const FIRST_VERSION: &str = "0.1.0";

/// One key of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The mapping that it belongs to; empty at the top of the file.
    pub section: &'static str,
    /// Its name in that mapping.
    pub name: &'static str,
    /// The values that it takes.
    pub values: Values,
    /// The default as it would be written in the file; `None` for a key that has none.
    pub default: Option<&'static str>,
    /// The first version of podspawn that knows it.
    pub since: &'static str,
    /// Its meaning, in Markdown.
    pub meaning: &'static str,
}

impl Key {
    /// The full name: `session.mode`.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// A key without a default.
    pub(super) const fn own(name: &'static str, values: &'static str, meaning: &'static str) -> Self {
        Self { section: "", name, values: Values::Words(values), default: None, since: FIRST_VERSION, meaning }
    }
}

/// The values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// In words.
    Words(&'static str),
    /// A whole number within these bounds.
    Range(u32, u32),
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Range(min, max) => write!(f, "a number from {min} to {max}"),
        }
    }
}

/// A key of `projects.yaml` or `users/NAME.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// One that only this file has.
    Own(Key),
    /// One that takes the place of the server's setting with this full name. Both have the same name.
    Overrides(&'static str),
}

impl Row {
    /// The key's name in this file.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Own(key) => key.full_name(),
            Self::Overrides(server) => server.rsplit('.').next().unwrap_or(server).to_owned(),
        }
    }
}

/// How one kind of value is read.
pub(super) struct Reader<T> {
    pub(super) values: Values,
    /// The value of a key; `None` if it is absent or wrong, which has been reported.
    pub(super) read: for<'a> fn(&mut Fields<'a>, &'static str) -> Option<T>,
}

impl<T> Reader<T> {
    pub(super) const fn new(
        values: &'static str,
        read: for<'a> fn(&mut Fields<'a>, &'static str) -> Option<T>,
    ) -> Self {
        Self { values: Values::Words(values), read }
    }

    /// The value of `text`, which a [`section!`] has for a default. A test reads each.
    #[allow(clippy::expect_used)] // constants of this crate; `every_default_is_valid` reads each
    pub(super) fn built_in(&self, key: &'static str, text: &str) -> T {
        let root = yaml::parse(&format!("{key}: {text}")).expect("a default is YAML");
        let mistakes = Mistakes::default();
        (self.read)(&mut Fields::of(&root, &root, "", &mistakes), key).expect("a default is valid")
    }
}

/// A section of `config.yaml`: its struct, [`Default`], `KEYS` and `read` from one list of
/// `name: type = reader, default;`. A comment of an entry is its meaning in the reference.
macro_rules! section {
    (
        $(#[$about:meta])*
        $visibility:vis struct $Section:ident in $section:literal {
            $(
                $(#[doc = $meaning:literal])+
                $key:ident: $type:ty = $reader:expr, $default:literal $(, since $since:literal)?;
            )+
        }
    ) => {
        $(#[$about])*
        $visibility struct $Section {
            $( $(#[doc = $meaning])+ $visibility $key: $type, )+
        }

        impl $Section {
            pub(super) const KEYS: &'static [$crate::config::keys::Key] = &[$(
                $crate::config::keys::Key {
                    section: $section,
                    name: stringify!($key),
                    values: $reader.values,
                    default: Some($default),
                    since: $crate::config::keys::section!(@since $($since)?),
                    meaning: concat!($($meaning, "\n"),+),
                },
            )+];

            /// Reads the section; a key that is absent or wrong keeps its value.
            pub(super) fn read(&mut self, fields: &mut $crate::config::fields::Fields<'_>) {
                $(
                    if let Some(value) = ($reader.read)(fields, stringify!($key)) {
                        self.$key = value;
                    }
                )+
            }
        }

        impl Default for $Section {
            fn default() -> Self {
                Self { $( $key: $reader.built_in(stringify!($key), $default), )+ }
            }
        }
    };
    (@since) => { $crate::config::keys::FIRST_VERSION };
    (@since $since:literal) => { $since };
}
pub(super) use section;
