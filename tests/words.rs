//! The vocabulary of the project: words that make a sentence hard to read are in no source, document, unit or test.
//!
//! The rule stands in docs/develop.md, *Words*: subject, verb, object, and the field's own nouns. A word counts
//! wherever it stands: in prose, in a message, in a name (`told_once`, `TestCrowd`), in upper or lower case.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words and phrases that no line may have. `*` at the end stands for any ending.
const FORBIDDEN: [&str; 25] = [
    "nobody",
    "somebody",
    "everybody",
    "whoever",
    "mourn*",
    "condemn*",
    "owe",
    "owes",
    "owing",
    "tell",
    "tells",
    "telling",
    "told",
    "people",
    "traveller*",
    "court",
    "witness*",
    "crowd",
    "crowds",
    "crowded",
    "doomed",
    "is there to",
    "what is there",
    "who comes",
    "rests",
];

/// Where the rule holds. Of the changelog, only what is not released yet.
const PLACES: [&str; 7] = ["src", "docs", "systemd", "nix/module", "README.md", "CHANGELOG.md", "tests"];

/// Files that are exempt: this list itself, and inputs of the fuzzer, which are data.
const EXEMPT: [&str; 2] = ["tests/words.rs", "tests/fuzz/corpus/"];

/// Lines that use a forbidden word as a proper name: file and part of the line. A line that is gone must leave this list.
const PROPER_NAMES: &[(&str, &str)] = &[
    // A value of the interface: the image of a login without a project.
    ("src/broker/methods/diagnose.rs", r#""everybody""#),
    ("src/broker/methods/diagnose.rs", r#""a:1 everybody""#),
    ("src/protocol/varlink/admin.rs", "`everybody`"),
    ("src/protocol/varlink/io.podspawn.Admin.varlink", "of is everybody"),
    // Debian's account `nobody`.
    ("src/command/auth_keys/tests.rs", r#"["nobody", "../alice""#),
    ("src/domain/uid_range.rs", "`nobody`"),
    ("tests/units.rs", "AuthorizedKeysCommandUser nobody"),
    ("tests/units.rs", "authorizedkeyscommanduser nobody"),
    ("tests/conformance/hostile.rs", r#"["nobody", "podspawn-keys"]"#),
    ("tests/nix/nixpkgs/nixos/openssh.nix", r#"default = "nobody";"#),
    ("tests/nix/cases/hostile.nix", r#"authorizedKeysCommandUser = "nobody";"#),
];

/// The words of a line in lower case; identifiers are taken apart at `_` and at capitals.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    // A line break in a literal is no letter of the next word.
    for character in line.replace("\\n", " ").chars() {
        let begins = character.is_uppercase() && before.is_lowercase();
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().unwrap().extend(character.to_lowercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_match(word: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(word == pattern, |beginning| word.starts_with(beginning))
}

/// The forbidden words of a line.
fn forbidden_in(line: &str) -> impl Iterator<Item = &'static str> {
    let words = words(line);
    FORBIDDEN.into_iter().filter(move |phrase| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|found| found.iter().zip(&phrase).all(|(word, part)| is_match(word, part)))
    })
}

/// A line with a forbidden word.
struct Finding {
    path: String,
    line: usize,
    text: String,
    word: &'static str,
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.is_file() {
        found.push(path.to_owned());
    }
}

/// What is not released yet: the changelog's first section.
fn unreleased(text: &str) -> &str {
    let Some(begin) = text.find("\n## Unreleased") else { return "" };
    let end = text[begin + 1..].find("\n## ").map_or(text.len(), |length| begin + 1 + length);
    &text[..end]
}

fn findings() -> Vec<Finding> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for place in PLACES {
        files(&root.join(place), &mut paths);
    }
    assert!(paths.len() > 300, "only {} files", paths.len());
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        // What is no text has no words.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
            continue;
        }
        let text = if name == "CHANGELOG.md" { unreleased(&text) } else { &text };
        for (number, line) in text.lines().enumerate() {
            let finding = |word| Finding { path: name.clone(), line: number + 1, text: line.trim().to_owned(), word };
            found.extend(forbidden_in(line).map(finding));
        }
    }
    found
}

#[test]
fn no_forbidden_word_is_used() {
    let findings = findings();
    let (named, wrong): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| {
        PROPER_NAMES.iter().any(|(path, part)| finding.path == *path && finding.text.contains(part))
    });
    let wrong: Vec<String> = wrong
        .iter()
        .map(|finding| format!("{}:{}: {:?} in: {}", finding.path, finding.line, finding.word, finding.text))
        .collect();
    assert!(wrong.is_empty(), "{} lines to rewrite:\n{}", wrong.len(), wrong.join("\n"));
    for (path, part) in PROPER_NAMES {
        let is_used = named.iter().any(|finding| finding.path == *path && finding.text.contains(part));
        assert!(is_used, "no line of {path} has {part:?} any more: take it off PROPER_NAMES");
    }
}

#[test]
fn a_word_is_found_in_prose_in_names_and_in_phrases_and_not_inside_of_others() {
    let found = |line| forbidden_in(line).collect::<Vec<_>>();
    assert_eq!(found("/// Nobody's login fails"), ["nobody"]);
    assert_eq!(found("fn is_told_once(TestCrowd)"), ["told", "crowd"]);
    assert_eq!(found("struct Witnesses; mourned"), ["mourn*", "witness*"]);
    assert_eq!(found("the place that is there to hold it"), ["is there to"]);
    assert_eq!(found("fn what_is_there()"), ["what is there"]);
    assert_eq!(found("forests, a courtesy, intelligent, tellable, untold"), Vec::<&str>::new());
}

#[test]
fn of_the_changelog_the_section_that_is_not_released_counts() {
    assert_eq!(unreleased("# C\n\n## Unreleased\na\n## 0.1\nb"), "# C\n\n## Unreleased\na");
    assert_eq!(unreleased("# C\n\n## Unreleased\na"), "# C\n\n## Unreleased\na");
    assert_eq!(unreleased("# C\n\n## 0.1\nb"), "");
}
