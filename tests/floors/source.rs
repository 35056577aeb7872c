//! The files under `src`, and the paths that their code names.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file, and its path below `src`.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The segments of its module: `session/create.rs` is `session::create`.
    pub(crate) fn segments(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    }

    /// Its top-level module.
    pub(crate) fn module(&self) -> String {
        self.segments().swap_remove(0)
    }

    pub(crate) fn is_test(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "tests.rs")
            || self.path.components().any(|part| part.as_os_str() == "tests")
    }

    /// The text without comments: a module named in a comment is no import.
    pub(crate) fn code(&self) -> String {
        let lines = self.text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The code without its unit tests, which stand at the end of a file or in one of their own.
    pub(crate) fn product_code(&self) -> String {
        let code = self.code();
        let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
        code[..end].replace("#[cfg(test)]\nmod tests;", "")
    }

    /// The top-level modules of this crate that it names.
    pub(crate) fn imports(&self) -> Vec<String> {
        let code = self.code();
        let rooted = ["crate::", "podspawn::"].map(|root| paths_behind(&code, root));
        let mut found: Vec<String> = rooted.into_iter().flatten().map(|mut path| path.swap_remove(0)).collect();
        // One import of several items is one import.
        found.dedup();
        found
    }
}

/// All files, by path.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), text });
            }
        }
    }
    assert!(sources.len() > 30, "only {} files under {}", sources.len(), root.display());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Every path of which `root`, such as `crate::`, is the beginning, without it. A group in braces is a path for each
/// of its items.
pub(crate) fn paths_behind(code: &str, root: &str) -> Vec<Vec<String>> {
    let places = code.match_indices(root).map(|(place, _)| place);
    let begins = |place: &usize| !code[..*place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    places.filter(begins).flat_map(|place| paths(&code[place + root.len()..])).collect()
}

/// The paths of `a::b`, `a::{b, c::{d, e}}` or `{a, b::c}` at the start of a text.
pub(crate) fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    tree(text, &mut Vec::new(), &mut found);
    found
}

/// Reads one tree of paths below `prefix` and returns the text behind it.
fn tree<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = prefix.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = items(group, prefix, found);
            break;
        }
        let name = identifier(rest);
        if name.is_empty() {
            // `*`, or the `<` of a generic: the path ends here.
            if prefix.len() > depth {
                found.push(prefix.clone());
            }
            break;
        }
        rest = &rest[name.len()..];
        if name != "self" || prefix.is_empty() {
            prefix.push(name);
        }
        let Some(more) = rest.strip_prefix("::") else {
            found.push(prefix.clone());
            break;
        };
        rest = more;
    }
    prefix.truncate(depth);
    rest
}

/// Reads the trees of a group from behind its brace, and returns the text behind the closing one.
fn items<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text;
    loop {
        rest = tree(rest, prefix, found);
        // Also over `as Name`.
        match rest.find([',', '}']) {
            Some(end) if rest[end..].starts_with(',') => rest = rest[end + 1..].trim_start(),
            Some(end) => return &rest[end + 1..],
            None => return "",
        }
        if let Some(behind) = rest.strip_prefix('}') {
            return behind;
        }
    }
}

pub(crate) fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether `name` stands in the code as a whole word.
pub(crate) fn has_word(code: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name)
        .any(|(at, _)| !code[..at].ends_with(is_part) && !code[at + name.len()..].starts_with(is_part))
}
