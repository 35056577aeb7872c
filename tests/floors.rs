//! The shape of the sources: who may import whom, how long a file is, where `unsafe` may be, and what nothing is called.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The floors of the architecture; a file imports strictly lower ones, or its own top-level module. Half floors are
/// neighbours of which one serves the others.
const FLOORS: [(&str, f32); 29] = [
    ("domain", 0.0),
    ("config", 1.0),
    ("policy", 1.5),
    ("podfile", 1.0),
    ("protocol", 1.0),
    ("openmetrics", 1.5),
    ("measure", 1.75),
    ("sys", 1.5),
    ("accounts", 2.0),
    ("audit", 2.0),
    ("client", 2.0),
    ("engine", 2.0),
    ("guest", 2.0),
    ("link", 2.0),
    ("log", 2.0),
    ("settings", 2.0),
    ("sshd", 2.0),
    ("store", 2.0),
    ("session", 3.0),
    ("backup", 3.0),
    ("image", 3.0),
    ("doctor", 3.5),
    ("broker", 4.0),
    ("command", 5.0),
    ("cli", 6.0),
    ("lib", 7.0),
    ("main", 7.0),
    ("crate", 0.0),
    ("podspawn", 7.0),
];

/// Longest file, in lines. Above that it wants to be two.
const MAX_LINES: usize = 400;

/// A source file, and its path below `src`.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its top-level module.
    fn module(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        first.strip_suffix(".rs").map_or(first.clone(), str::to_owned)
    }

    fn is_test(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "tests.rs")
            || self.path.components().any(|part| part.as_os_str() == "tests")
    }

    /// The text without comments: what they mention is no import.
    fn code(&self) -> String {
        let lines = self.text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The modules of this crate that it names.
    fn imports(&self) -> Vec<String> {
        let code = self.code();
        let mut found = Vec::new();
        for root in ["crate::", "podspawn::"] {
            for (place, _) in code.match_indices(root) {
                if code[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let rest = &code[place + root.len()..];
                if let Some(group) = rest.strip_prefix('{') {
                    found.extend(names_in_group(group));
                } else {
                    found.push(identifier(rest));
                }
            }
        }
        found.retain(|name| !name.is_empty());
        found
    }
}

/// The first names of `{a::b, c::{d, e}, f}`, from behind its brace.
fn names_in_group(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut at_start) = (0, true);
    for (place, character) in group.char_indices() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if depth == 0 && at_start && !c.is_whitespace() => {
                names.push(identifier(&group[place..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn sources() -> Vec<Source> {
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

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn a_module_imports_lower_floors_only() {
    let floors: BTreeMap<&str, f32> = FLOORS.into_iter().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        let Some(own) = floors.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} is on no floor; give it one in tests/floors.rs", source.name()));
            continue;
        };
        for import in source.imports() {
            // A macro or item of the crate's root begins with no module's name.
            if let Some(other) = floors.get(import.as_str())
                && import != module
                && other >= own
            {
                wrong.push(format!("{} (floor {own}) imports {import} (floor {other})", source.name()));
            }
        }
    }
    assert_none("imports that do not go down", &wrong);
}

#[test]
fn the_unprivileged_verbs_never_name_the_store_the_engine_or_the_session_modules() {
    let mut wrong = Vec::new();
    for source in sources() {
        let path = source.name();
        let is_unprivileged =
            ["command/spawn", "command/auth_keys", "client"].iter().any(|verb| path.starts_with(verb));
        if !is_unprivileged || source.is_test() {
            continue;
        }
        let forbidden = ["store", "engine", "session", "broker", "bollard", "rusqlite"];
        wrong.extend(
            source
                .imports()
                .iter()
                .filter(|import| forbidden.contains(&import.as_str()))
                .map(|import| format!("{path}: {import}")),
        );
        for name in ["bollard::", "rusqlite::"] {
            if source.code().contains(name) {
                wrong.push(format!("{path}: {name}"));
            }
        }
    }
    assert_none("what an unprivileged verb must not know", &wrong);
}

#[test]
fn what_runs_inside_a_container_imports_nothing_above_the_first_floor() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() == "guest" && !source.is_test()) {
        let allowed = ["guest", "domain", "config", "policy", "podfile", "protocol", "sys"];
        let imports = source.imports();
        wrong.extend(
            imports
                .iter()
                .filter(|name| FLOORS.iter().any(|(known, _)| known == name) && !allowed.contains(&name.as_str()))
                .map(|name| format!("{}: {name}", source.name())),
        );
        if source.code().contains("tokio::") {
            wrong.push(format!("{}: tokio", source.name()));
        }
    }
    assert_none("what the guest must not know", &wrong);
}

#[test]
fn an_error_is_printed_without_rusts_number_and_each_cause_once() {
    let mut found = Vec::new();
    for source in sources() {
        let name = source.name();
        let code = source.code();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        if name.contains("tests") {
            continue;
        }
        // domain::chain leaves out a cause that its error names already; anyhow's own form does not.
        if code.contains(":#}") {
            found.push(format!("{name}: {{:#}}; use domain::chain"));
        }
        if code.contains("eprint") {
            found.push(format!("{name}: eprintln; use sys::stderr::complain"));
        }
    }
    assert_none("prints an error as Rust shows it", &found);
}

#[test]
fn no_file_is_longer_than_it_should_be() {
    let long = sources().into_iter().filter(|source| !source.is_test() && source.text.lines().count() > MAX_LINES);
    let long: Vec<String> =
        long.map(|source| format!("{}: {} lines", source.name(), source.text.lines().count())).collect();
    assert_none("files that want to be two", &long);
}

#[test]
fn unsafe_stays_where_it_belongs() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = source.code();
        let names_it = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        if names_it && !["sys", "guest"].contains(&source.module().as_str()) {
            wrong.push(source.name());
        }
    }
    assert_none("unsafe outside of src/sys and src/guest", &wrong);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split_once("//").map_or(*line, |(code, _)| code);
            let begins = code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe extern");
            let above = &lines[number.saturating_sub(6)..=number];
            if begins && !above.iter().any(|line| line.contains("SAFETY:")) {
                wrong.push(format!("{}:{}", source.name(), number + 1));
            }
        }
    }
    assert_none("unsafe without a SAFETY line", &wrong);
}

#[test]
fn every_crash_point_is_listed_and_placed_once() {
    let placed = sources().into_iter().filter(|source| !source.is_test()).flat_map(|source| {
        let code = source.code();
        let calls = code.match_indices("crash::point(\"").map(|(place, call)| &code[place + call.len()..]);
        calls.map(|rest| rest[..rest.find('"').unwrap()].to_owned()).collect::<Vec<_>>()
    });
    let mut placed: Vec<String> = placed.collect();
    placed.sort();
    assert_eq!(placed, podspawn::sys::crash::POINTS);
}

#[test]
fn nothing_is_called_a_utility() {
    let forbidden = ["utils", "util", "common", "helpers", "helper", "manager", "handler", "misc"];
    let mut wrong = Vec::new();
    for source in sources() {
        let names = source
            .path
            .components()
            .map(|part| part.as_os_str().to_string_lossy().replace(".rs", ""))
            .collect::<Vec<_>>();
        wrong.extend(names.iter().filter(|name| forbidden.contains(&name.as_str())).map(|_| source.name()));
        let code = source.code();
        for kind in ["mod ", "struct ", "enum ", "trait "] {
            for (place, _) in code.match_indices(kind) {
                let name = identifier(&code[place + kind.len()..]);
                if ["Manager", "Handler", "Helper", "Utils"].iter().any(|end| name.ends_with(end))
                    || forbidden.contains(&name.as_str())
                {
                    wrong.push(format!("{}: {name}", source.name()));
                }
            }
        }
    }
    assert_none("names that say nothing", &wrong);
}

#[test]
fn every_file_says_what_lives_in_it() {
    let silent = sources().into_iter().filter(|source| !source.is_test() && source.name() != "main.rs");
    let silent = silent.filter(|source| !source.text.starts_with("//!"));
    assert_none("files without a header", &silent.map(|source| source.name()).collect::<Vec<_>>());
}

#[test]
fn the_check_sees_an_import_however_it_is_written() {
    let source = |text: &str| Source { path: "domain/x.rs".into(), text: text.into() }.imports();
    assert_eq!(source("use crate::engine::Engine;"), ["engine"]);
    assert_eq!(
        source("use crate::{\n    domain::{A, B},\n    session::{self, c::D},\n    store,\n};"),
        ["domain", "session", "store"]
    );
    assert_eq!(source("fn f() -> crate::store::Store {}"), ["store"]);
    assert_eq!(source("// crate::store\nlet x = mycrate::store;"), Vec::<String>::new());
}
