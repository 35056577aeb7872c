//! `sshd_config` by its lines: every `Include`, and whether it stands before every `Match`.

use super::pattern;
use std::path::{Path, PathBuf};

/// The configuration that sshd reads by default.
pub const CONFIG: &str = "/etc/ssh/sshd_config";
/// Where relative names in `Include` begin (`sshd_config(5)`), whatever file they stand in.
pub const CONFIG_DIR: &str = "/etc/ssh";

/// A configuration file, as far as it matters where a drop-in or a block belongs.
#[derive(Debug)]
pub struct MainFile<'a> {
    text: &'a str,
}

/// An `Include`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Its line, from 0.
    pub line: usize,
    /// Whether it is in force for every connection: no `Match` is before it.
    pub is_unconditional: bool,
    /// Its patterns, as they are written.
    pub patterns: Vec<String>,
}

impl Include {
    /// Where one of its patterns begins. Relative ones begin at one place wherever the file itself is.
    #[must_use]
    pub fn path(&self, written: &str) -> PathBuf {
        Path::new(CONFIG_DIR).join(written)
    }

    /// The first of its patterns that reads a file called `name`: its number, and the path.
    #[must_use]
    pub fn covers(&self, name: &str) -> Option<(usize, PathBuf)> {
        let mut places = self.patterns.iter().enumerate();
        places.find_map(|(number, written)| Some((number, self.place(written, name)?)))
    }

    /// Where one of its patterns would read a file called `name`, if it would.
    #[must_use]
    pub fn place(&self, written: &str, name: &str) -> Option<PathBuf> {
        let path = self.path(written);
        let (directory, last) = (path.parent()?, path.file_name()?.to_str()?);
        // glob(3) would expand these, and their meaning would be a guess.
        let is_plain = !directory.to_string_lossy().contains(['*', '?', '[', '\\']) && !last.contains(['[', '\\']);
        (is_plain && pattern::matches(name, last)).then(|| directory.join(name))
    }
}

impl<'a> MainFile<'a> {
    /// The file with `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// Every `Include`.
    #[must_use]
    pub fn includes(&self) -> Vec<Include> {
        let mut includes = Vec::new();
        let mut is_unconditional = true;
        for (line, text) in self.text.lines().enumerate() {
            let (keyword, rest) = keyword(text);
            is_unconditional &= !keyword.eq_ignore_ascii_case("match");
            if keyword.eq_ignore_ascii_case("include") {
                includes.push(Include { line, is_unconditional, patterns: words(rest) });
            }
        }
        includes
    }
}

/// The separators of words, beside "=" behind a keyword.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\u{c}'];

/// The keyword of a line and the rest of it; a comment has none. As sshd has it: the keyword may be in quotes, and an
/// empty word before it counts for nothing.
pub(super) fn keyword(line: &str) -> (&str, &str) {
    let line = line.trim_matches(BLANKS);
    let line = line.strip_prefix('=').map_or(line, |rest| rest.trim_start_matches(BLANKS));
    if line.starts_with('#') {
        return ("", "");
    }
    let (keyword, rest) = match line.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some(split) => split,
        None => line.split_at(line.find(|c| BLANKS.contains(&c) || c == '=').unwrap_or(line.len())),
    };
    let rest = rest.trim_start();
    (keyword, rest.strip_prefix('=').unwrap_or(rest).trim())
}

/// The arguments of a line: separated by blanks, in quotes where they have some, up to a comment.
pub(super) fn words(rest: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = rest.chars().peekable();
    while let Some(&first) = characters.peek() {
        match first {
            c if c.is_whitespace() => {
                characters.next();
            }
            '#' => break,
            '"' | '\'' => {
                characters.next();
                words.push(characters.by_ref().take_while(|c| *c != first).collect());
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = characters.next_if(|c| !c.is_whitespace()) {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "00-podspawn.conf";

    fn place(text: &str) -> Option<PathBuf> {
        let includes = MainFile::new(text).includes();
        let mut reached = includes.iter().filter(|include| include.is_unconditional);
        reached.find_map(|include| include.covers(NAME)).map(|(_, path)| path)
    }

    #[test]
    fn an_include_counts_if_it_is_unconditional_and_reads_our_name() {
        let usual = Some(PathBuf::from("/etc/ssh/sshd_config.d/00-podspawn.conf"));
        for text in [
            "Include /etc/ssh/sshd_config.d/*.conf\n",
            "# x\n\n\tinclude = sshd_config.d/*.conf\nMatch User x\n",
            "Include /x/*.cf \"/etc/ssh/sshd_config.d/*\" # more\n",
            "INCLUDE /etc/ssh/sshd_config.d/00-*.conf",
        ] {
            assert_eq!(place(text), usual, "{text}");
        }
        for text in [
            "",
            "#Include /etc/ssh/sshd_config.d/*.conf\n",
            "Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "Include /etc/ssh/sshd_config.d/*.cfg\n",
            "Include /etc/ssh/*.d/*.conf\n",
            "Include /etc/ssh/sshd_config.d/[0-9]*.conf\n",
            "Includes /etc/ssh/sshd_config.d/*.conf\n",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn arguments_are_split_as_sshd_splits_them() {
        assert_eq!(words("a \"b c\"\td # e"), ["a", "b c", "d"]);
        assert_eq!(keyword("  Match\tGroup x"), ("Match", "Group x"));
        assert_eq!(words("'a b' c"), ["a b", "c"]);
        for line in ["Port=22", "=Port 22", "\"Port\" 22", "\"Port\"=22\r"] {
            assert_eq!(keyword(line), ("Port", "22"), "{line}");
        }
        assert_eq!(keyword("# Match"), ("", ""));
    }
}
