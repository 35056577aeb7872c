//! The shape of the sources: who may import whom, how long a file is, where `unsafe` may be, and what nothing is called.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use siblings::{Uses, cycles};
use source::{Source, identifier, sources};
use std::collections::{BTreeMap, BTreeSet};

#[path = "floors/siblings.rs"]
mod siblings;
#[path = "floors/source.rs"]
mod source;

/// The floors of the architecture; a file imports strictly lower ones, or its own top-level module. `lib`, `main`
/// and their names in paths, `crate` and `podspawn`, are no modules with a file of their own.
const FLOORS: [(&str, u32); 28] = [
    ("crate", 0),
    ("domain", 0),
    ("config", 1),
    ("protocol", 1),
    ("openmetrics", 2),
    ("policy", 2),
    ("sys", 2),
    ("accounts", 3),
    ("audit", 3),
    ("client", 3),
    ("guest", 3),
    ("link", 3),
    ("measure", 3),
    ("settings", 3),
    ("sshd", 3),
    ("store", 3),
    ("engine", 4),
    ("event", 4),
    ("backup", 5),
    ("log", 5),
    ("session", 5),
    ("doctor", 6),
    ("broker", 7),
    ("command", 8),
    ("cli", 9),
    ("lib", 10),
    ("main", 10),
    ("podspawn", 10),
];

/// Longest file, in lines. A longer one wants to be two.
const MAX_LINES: usize = 400;

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// The imports that do not go down, and the modules and floors that do not fit each other.
fn misplaced(floors: &[(&str, u32)], sources: &[Source]) -> Vec<String> {
    let by_name: BTreeMap<&str, u32> = floors.iter().copied().collect();
    let modules: BTreeSet<String> = sources.iter().map(Source::module).collect();
    let unknown = by_name.keys().filter(|name| !modules.contains(**name) && !["crate", "podspawn"].contains(name));
    let mut wrong: Vec<String> = unknown.map(|name| format!("floor {name} has no module")).collect();
    for source in sources {
        let module = source.module();
        let Some(own) = by_name.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} is on no floor; give it one in tests/floors.rs", source.name()));
            continue;
        };
        for import in source.imports() {
            // A macro or item of the crate's root begins with no module's name.
            if let Some(other) = by_name.get(import.as_str())
                && import != module
                && other >= own
            {
                wrong.push(format!("{} (floor {own}) imports {import} (floor {other})", source.name()));
            }
        }
    }
    wrong
}

#[test]
fn a_module_imports_lower_floors_only() {
    assert_none("imports that do not go down", &misplaced(&FLOORS, &sources()));
}

/// The floors in the table of docs/develop.md: `| 4 | `engine` | … |`.
fn documented(page: &str) -> BTreeSet<(String, u32)> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some((cells.next()?.parse().ok()?, cells.next()?))
    });
    rows.flat_map(|(floor, modules)| modules.split('`').skip(1).step_by(2).map(move |name| (name.to_owned(), floor)))
        .collect()
}

#[test]
fn the_developers_page_has_the_floor_of_every_module() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/develop.md");
    let roots = ["crate", "lib", "main", "podspawn"];
    let floors =
        FLOORS.into_iter().filter(|(name, _)| !roots.contains(name)).map(|(name, floor)| (name.to_owned(), floor));
    assert_eq!(documented(&std::fs::read_to_string(page).unwrap()), floors.collect());
}

/// The circles of files, each in one line.
fn circles(uses: &Uses) -> Vec<String> {
    cycles(uses).into_iter().map(|circle| circle.join(" → ")).collect()
}

#[test]
fn the_files_of_a_module_use_each_other_in_no_circle() {
    assert_none("files that use each other in a circle", &circles(&siblings::uses(&sources())));
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

/// Files that name Docker although they are not the engine's. What they name are contracts.
const NAMES_DOCKER: [&str; 2] = [
    // The default of `engine.host`.
    "config/server.rs",
    // The metric `podspawn_containers_docker`.
    "measure/catalog.rs",
];

/// Another engine is to be another file in `engine/`. Messages take names, files and commands from `engine::Product`.
#[test]
fn docker_is_named_in_the_engine_only() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test() && source.module() != "engine") {
        let text = source.text.split("#[cfg(test)]").next().unwrap_or_default().to_lowercase();
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains("docker"));
        wrong.extend(lines.map(|(number, _)| format!("{}:{}", source.name(), number + 1)));
    }
    let unused = NAMES_DOCKER.iter().filter(|path| !wrong.iter().any(|found| found.starts_with(**path)));
    let unused: Vec<String> =
        unused.map(|path| format!("{path} does not name it: remove it from NAMES_DOCKER")).collect();
    wrong.retain(|found| !NAMES_DOCKER.iter().any(|path| found.starts_with(path)));
    assert_none("files that name Docker", &[wrong, unused].concat());
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

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[test]
fn the_check_sees_an_import_however_it_is_written() {
    let imports = |text: &str| source("domain/x.rs", text).imports();
    assert_eq!(imports("use crate::engine::Engine;"), ["engine"]);
    assert_eq!(
        imports("use crate::{\n    domain::{A, B},\n    session::{self, c::D},\n    store,\n};"),
        ["domain", "session", "store"]
    );
    assert_eq!(imports("fn f() -> crate::store::Store {}"), ["store"]);
    assert_eq!(imports("// crate::store\nlet x = mycrate::store;"), Vec::<String>::new());
}

#[test]
fn the_check_sees_a_floor_without_a_module_and_an_import_that_goes_up() {
    let sources = [source("domain.rs", "use crate::engine::Engine;"), source("engine.rs", "")];
    let floors = [("domain", 0), ("engine", 1), ("cellar", 2)];
    assert_eq!(
        misplaced(&floors, &sources),
        ["floor cellar has no module", "domain.rs (floor 0) imports engine (floor 1)"]
    );
}

#[test]
fn the_check_sees_a_circle_of_files() {
    let files = [
        source("a.rs", "mod b;\nmod c;\nmod d;\npub use c::C;\n"),
        source("a/b.rs", "use super::{C, d, super::e::{self, E}};\n"),
        source("a/c.rs", "struct C;\nfn f() -> crate::a::d::D {}\n#[cfg(test)]\nmod tests { use super::super::b; }"),
        source("a/d.rs", "pub(super) struct D;\nmod e { use super::super::b; }\n"),
    ];
    let uses = siblings::uses(&files);
    assert_eq!(cycles(&uses), Vec::<Vec<String>>::new(), "{uses:?}");
    assert_eq!(uses["a/b.rs"], ["a/c.rs", "a/d.rs"].map(str::to_owned).into());

    let [parent, b, c, _] = files;
    let files = [parent, b, c, source("a/d.rs", "pub(super) struct D(super::b::B);\n")];
    let uses = siblings::uses(&files);
    assert_eq!(circles(&uses), ["a/b.rs → a/d.rs → a/b.rs"]);
}

#[test]
fn the_check_sees_a_parent_and_a_child_that_use_each_other() {
    let child = || source("a/b.rs", "pub struct B(super::A);\n");
    let both = |parent| circles(&siblings::uses(&[source("a.rs", parent), child()]));
    assert_eq!(both("mod b;\npub use b::B;\npub struct A;\n"), Vec::<String>::new());
    assert_eq!(both("mod b;\npub use b::B;\npub struct A(Vec<B>);\n"), ["a.rs → a/b.rs → a.rs"]);
    assert_eq!(both("mod b;\npub struct A(Vec<b::B>);\n"), ["a.rs → a/b.rs → a.rs"]);
}
