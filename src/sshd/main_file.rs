//! `sshd_config` by its lines: which `Include` is reached for everybody, before any `Match`.

use super::{CONFIG_DIR, pattern};
use std::path::{Path, PathBuf};

/// A configuration file, as far as it matters where a drop-in or a block belongs.
#[derive(Debug)]
pub struct MainFile<'a> {
    text: &'a str,
}

/// An `Include` that is in force for every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Its line, from 0.
    pub line: usize,
    /// Its patterns, as they are written.
    pub patterns: Vec<String>,
}

impl Include {
    /// The first of its patterns that reads a file called `name`: its number, and the path.
    #[must_use]
    pub fn covers(&self, name: &str) -> Option<(usize, PathBuf)> {
        self.patterns.iter().enumerate().find_map(|(number, written)| {
            // Relative names begin at one place wherever the file itself is.
            let path = Path::new(CONFIG_DIR).join(written);
            let (directory, last) = (path.parent()?, path.file_name()?.to_str()?);
            // glob(3) would expand these; what they mean is then not ours to guess.
            let is_plain = !directory.to_string_lossy().contains(['*', '?', '[', '\\']) && !last.contains(['[', '\\']);
            (is_plain && pattern::matches(name, last)).then(|| (number, directory.join(name)))
        })
    }
}

impl<'a> MainFile<'a> {
    /// The file with `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// Every `Include` before the first `Match`.
    #[must_use]
    pub fn includes(&self) -> Vec<Include> {
        let mut includes = Vec::new();
        for (line, text) in self.text.lines().enumerate() {
            let (keyword, rest) = keyword(text);
            if keyword.eq_ignore_ascii_case("match") {
                break;
            }
            if keyword.eq_ignore_ascii_case("include") {
                includes.push(Include { line, patterns: words(rest) });
            }
        }
        includes
    }
}

/// The keyword of a line and what follows it; a comment has none.
pub(super) fn keyword(line: &str) -> (&str, &str) {
    let line = line.trim_start_matches([' ', '\t', '\r', '\u{c}']);
    if line.starts_with('#') {
        return ("", "");
    }
    let end = line.find([' ', '\t', '\r', '\u{c}', '=']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
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
            '"' => {
                characters.next();
                words.push(characters.by_ref().take_while(|c| *c != '"').collect());
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

    const NAME: &str = "50-podspawn.conf";

    fn place(text: &str) -> Option<PathBuf> {
        MainFile::new(text).includes().iter().find_map(|include| include.covers(NAME)).map(|(_, path)| path)
    }

    #[test]
    fn an_include_counts_if_everybody_reaches_it_and_it_reads_our_name() {
        let usual = Some(PathBuf::from("/etc/ssh/sshd_config.d/50-podspawn.conf"));
        for text in [
            "Include /etc/ssh/sshd_config.d/*.conf\n",
            "# x\n\n\tinclude = sshd_config.d/*.conf\nMatch User x\n",
            "Include /x/*.cf \"/etc/ssh/sshd_config.d/*\" # more\n",
            "INCLUDE /etc/ssh/sshd_config.d/50-*.conf",
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
        assert_eq!(keyword("Port=22"), ("Port", "22"));
        assert_eq!(keyword("# Match"), ("", ""));
    }
}
