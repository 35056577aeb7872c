//! `users/<user>.yaml`: the settings of one user that differ from the server's.

use super::{
    error::ConfigError,
    fields::{Fields, Mistakes, parsed},
    keys::{Key, Row},
    readers::{CPUS, MEMORY, optional},
    value::{CommandLine, LoginShell, Repository, quote},
    yaml,
};
use crate::domain::{Cpus, ImageRef, Mode, Size};
use std::collections::BTreeMap;

/// Most variables of one user, and the most bytes of all names and values together: half of what one connection may
/// carry (`protocol::guest`), the other half is the client's.
pub const MAX_ENV: usize = 32;
/// See [`MAX_ENV`].
pub const MAX_ENV_BYTES: usize = 16 * 1024;

/// One user's settings; absent ones come from the server. [`Default`] is that of an absent file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserOverrides {
    /// The image.
    pub image: Option<ImageRef>,
    /// Processors.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Size>,
    /// The login shell to prefer.
    pub shell: Option<LoginShell>,
    /// See [`super::SessionTimes`].
    pub mode: Option<Mode>,
    /// Environment of every process.
    pub env: BTreeMap<VariableName, String>,
    /// The repository for a fresh home.
    pub dotfiles: Option<Dotfiles>,
}

/// `dotfiles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dotfiles {
    /// Cloned into the home, inside the container.
    pub repo: Repository,
    /// Run in the clone, inside the container, as the user.
    pub install: Option<CommandLine>,
}

/// The name of an environment variable: letters, digits and `_`, and none that the dynamic linker reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VariableName(Box<str>);

impl AsRef<str> for VariableName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for VariableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let valid = (1..=128).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(format!("{} is not a variable name: letters, digits and '_', no digit first", quote(text)));
        }
        if text.starts_with("LD_") {
            return Err(format!("{} is read by the dynamic linker of every program; set it in the image", quote(text)));
        }
        Ok(Self(text.into()))
    }
}

/// Every key of a user's file.
pub(super) const KEYS: [Row; 8] = [
    Row::Overrides("defaults.image"),
    Row::Overrides("defaults.cpus"),
    Row::Overrides("defaults.memory"),
    Row::Overrides("defaults.shell"),
    Row::Overrides("session.mode"),
    Row::Own(Key::own(
        "env",
        "a mapping of at most 32 names to values, 16 KiB in all",
        "Environment variables of every process. They are no place for secrets: all accounts of the host may be able to \
         read the file. Names that begin with `LD_` are refused.",
    )),
    Row::Own(Key {
        section: "dotfiles",
        ..Key::own(
            "repo",
            "a URL of git, or `user@host:path`; required in `dotfiles`",
            "A repository that the image's git clones to `~/.dotfiles` of a fresh home.",
        )
    }),
    Row::Own(Key {
        section: "dotfiles",
        ..Key::own(
            "install",
            "one line of at most 1024 bytes",
            "A command that the user's shell runs in `~/.dotfiles` after the clone, for at most a minute.",
        )
    }),
];

impl UserOverrides {
    /// The overrides in `text`, or every mistake in it. An empty text is none.
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let root = yaml::parse(text).map_err(|error| vec![error])?;
        let mistakes = Mistakes::default();
        let overrides = Fields::of(&root, &root, "", &mistakes).all(|top| Self {
            image: top.optional("image"),
            cpus: (CPUS.read)(top, "cpus"),
            memory: (MEMORY.read)(top, "memory"),
            shell: top.optional("shell"),
            mode: top.optional("mode"),
            env: env(top),
            dotfiles: top.section("dotfiles", dotfiles).flatten(),
        });
        mistakes.or(overrides)
    }
}

fn dotfiles(fields: &mut Fields<'_>) -> Option<Dotfiles> {
    let repo = fields.required("repo");
    let install = optional(fields, "install", str::parse).flatten();
    Some(Dotfiles { repo: repo?, install })
}

fn env(fields: &mut Fields<'_>) -> BTreeMap<VariableName, String> {
    let mistakes = fields.mistakes();
    let mut env = BTreeMap::new();
    let mut bytes = 0;
    for (key_node, key, value) in fields.names("env") {
        let name = parsed(key_node, "env", mistakes, str::parse::<VariableName>);
        let value = parsed(value, &format!("env.{key}"), mistakes, |text| {
            // As for a client's variables: see policy::environment.
            if text.contains(|c: char| c.is_control() && c != '\t') {
                return Err("a value is one line of text");
            }
            Ok(text.to_owned())
        });
        let (Some(name), Some(value)) = (name, value) else { continue };
        bytes += name.as_ref().len() + value.len();
        env.insert(name, value);
        if env.len() > MAX_ENV || bytes > MAX_ENV_BYTES {
            mistakes.at(key_node, &format!("env: more than {MAX_ENV} variables or {MAX_ENV_BYTES} bytes in all"));
            break;
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_read_as_written() {
        let overrides = UserOverrides::parse(
            "image: debian:12\ncpus: 4\nmemory: 8g\nshell: /bin/zsh\nmode: named\n\
             env: {EDITOR: vim, VERSION: 1.10, DEBUG: no, EMPTY: \"\"}\n\
             dotfiles: {repo: https://example.org/dot.git, install: ./install.sh}\n",
        )
        .unwrap();
        let env: Vec<_> = overrides.env.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        assert_eq!(env, [("DEBUG", "no"), ("EDITOR", "vim"), ("EMPTY", ""), ("VERSION", "1.10")]);
        assert_eq!(overrides.mode, Some(Mode::Named));
        assert_eq!(overrides.dotfiles.unwrap().install.unwrap().as_ref(), "./install.sh");
        assert_eq!(UserOverrides::parse("").unwrap(), UserOverrides::default());
    }

    #[test]
    fn an_environment_cannot_load_libraries_or_span_lines() {
        for bad in ["LD_PRELOAD: /x", "1A: x", "\"A=B\": x", "A: \"x\\ny\"", "\"\": x", "A: [x]", "A:"] {
            assert!(UserOverrides::parse(&format!("env:\n  {bad}\n")).is_err(), "{bad}");
        }
        let many: Vec<_> = (0..40).map(|n| format!("A{n}: x")).collect();
        assert_eq!(UserOverrides::parse(&format!("env: {{{}}}", many.join(", "))).unwrap_err().len(), 1);
        UserOverrides::parse(&format!("env:\n  A: {}\n", "x".repeat(MAX_ENV_BYTES))).unwrap_err();
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let errors = UserOverrides::parse("memroy: 2g\ndotfiles: {repo: /r, instal: x}\n").unwrap_err();
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "1:1: unknown key \"memroy\"; did you mean \"memory\"?",
                "2:22: unknown key \"instal\" in dotfiles; did you mean \"install\"?",
            ]
        );
    }
}
