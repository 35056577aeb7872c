//! The files of one top-level module, and which of them uses which.
//!
//! What counts as a use: every path that begins with `super::`, `self::`, `crate::` or the name of a child module, in
//! `use` lines and in code, unit tests excepted. A name that a file re-exports or imports counts for the file that
//! defines it, so `use super::AttachError` is a use of `session/error.rs` if `session.rs` says `pub use
//! error::AttachError`. A parent's `mod child;` and `pub use child::Name;` are no uses: a parent may present its
//! children. A parent that does more with them, and children that use what the parent itself defines, are uses like
//! any other: a type that both need stands in a child of its own, or in the parent, which then uses no child.
//!
//! Method calls name no file, so `impl` blocks of one type in several files are seen through their imports only.

use crate::source::{Source, has_word, paths, paths_behind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For each file, the files of its top-level module that it uses.
pub(crate) type Uses = BTreeMap<String, BTreeSet<String>>;

type Path = Vec<String>;

/// A file as paths are resolved in it.
struct Module {
    name: String,
    /// Names that it imports or re-exports, with where they come from.
    aliases: BTreeMap<String, Path>,
    /// The code without `use` lines.
    body: String,
    /// What it imports for itself.
    imports: Vec<Path>,
    reexports: Vec<String>,
}

/// The uses between files of one top-level module.
pub(crate) fn uses(sources: &[Source]) -> Uses {
    let product = sources.iter().filter(|source| !source.is_test() && !["lib", "main"].contains(&&*source.module()));
    let product: Vec<&Source> = product.collect();
    let paths: BTreeSet<Path> = product.iter().map(|source| source.segments()).collect();
    let modules = product.iter().map(|source| (source.segments(), module(source, &paths)));
    let modules: BTreeMap<Path, Module> = modules.collect();
    let mut uses = Uses::new();
    for (path, module) in &modules {
        let mut targets = mentioned(path, &module.body, &paths);
        targets.extend(module.imports.iter().cloned());
        let presented = module.reexports.iter().filter(|name| has_word(&module.body, name));
        targets.extend(presented.filter_map(|name| module.aliases.get(name).cloned()));
        let files = targets.iter().filter_map(|target| defining(&modules, target, 0));
        let siblings = files.filter(|file| file[0] == path[0] && *file != path);
        let names = siblings.map(|file| modules[file].name.clone()).collect();
        uses.insert(module.name.clone(), names);
    }
    uses
}

fn module(source: &Source, all: &BTreeSet<Path>) -> Module {
    // `pub(in crate::x)` names no use.
    let product = source.product_code().replace("(in crate::", "(");
    let product = product.lines().filter(|line| !is_declaration(line)).collect::<Vec<_>>().join("\n");
    let (path, code) = (source.segments(), without_inline_modules(&product));
    let (mut aliases, mut body) = (BTreeMap::new(), String::new());
    let (mut imports, mut reexports) = (Vec::new(), Vec::new());
    for statement in code.split_inclusive(';') {
        let Some(begin) = begin_of_use(statement) else {
            body.push_str(statement);
            continue;
        };
        let (before, line) = statement.split_at(begin);
        body.push_str(before);
        let (visibility, tree) = line.split_once("use ").unwrap_or_default();
        for target in paths_of_use(&path, tree, all) {
            let name = target.last().unwrap().clone();
            if visibility.trim().is_empty() {
                imports.push(target.clone());
            } else {
                reexports.push(name.clone());
            }
            aliases.insert(name, target);
        }
    }
    Module { name: source.name(), aliases, body, imports, reexports }
}

/// Where a `use` line with its visibility begins in a statement, if it is one.
fn begin_of_use(statement: &str) -> Option<usize> {
    let at = statement.find("use ")?;
    let begin = statement[..at].rfind('\n').map_or(0, |end| end + 1);
    let visibility = statement[begin..at].trim();
    (visibility.is_empty() || visibility.starts_with("pub")).then_some(begin)
}

/// Whether a line is `mod child;`, public or not.
fn is_declaration(line: &str) -> bool {
    line.ends_with(';') && line.split_whitespace().rev().nth(1) == Some("mod")
}

/// The absolute paths of a `use` line, of those that lead into this crate.
fn paths_of_use(here: &Path, tree: &str, all: &BTreeSet<Path>) -> Vec<Path> {
    paths(tree).into_iter().filter_map(|path| absolute(here, &path, all)).collect()
}

fn absolute(here: &Path, path: &[String], all: &BTreeSet<Path>) -> Option<Path> {
    let mut base = match path[0].as_str() {
        "crate" => Vec::new(),
        "super" | "self" => here.clone(),
        child if all.contains(&[here.as_slice(), &[child.to_owned()]].concat()) => here.clone(),
        _ => return None,
    };
    for segment in path {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            name => base.push(name.to_owned()),
        }
    }
    (!base.is_empty()).then_some(base)
}

/// Every path into this crate that the code names, absolute.
fn mentioned(here: &Path, code: &str, all: &BTreeSet<Path>) -> Vec<Path> {
    let mut roots = vec!["crate".to_owned(), "super".to_owned(), "self".to_owned()];
    let is_child = |path: &&Path| path.len() == here.len() + 1 && path.starts_with(here);
    roots.extend(all.iter().filter(is_child).map(|path| path[here.len()].clone()));
    let behind = |root: &String| {
        let found = paths_behind(code, &format!("{root}::")).into_iter();
        found.map(|path| [vec![root.clone()], path].concat()).collect::<Vec<_>>()
    };
    roots.iter().flat_map(behind).filter_map(|path| absolute(here, &path, all)).collect()
}

/// The module whose file defines what `path` names: re-exports are followed.
fn defining<'a>(modules: &'a BTreeMap<Path, Module>, path: &[String], depth: usize) -> Option<&'a Path> {
    let (mut at, mut rest) = (Vec::new(), path);
    while let [next, more @ ..] = rest {
        let below = [at.as_slice(), std::slice::from_ref(next)].concat();
        if !modules.contains_key(&below) {
            break;
        }
        (at, rest) = (below, more);
    }
    let (found, module) = modules.get_key_value(&at)?;
    match rest.first().and_then(|name| module.aliases.get(name)) {
        Some(target) if depth < 8 && target != path => {
            let target = [target.as_slice(), &rest[1..]].concat();
            defining(modules, &target, depth + 1).or(Some(found))
        }
        _ => Some(found),
    }
}

/// The code without `mod x { … }`: `super` in it means the file itself.
fn without_inline_modules(code: &str) -> String {
    let (mut kept, mut is_inside) = (Vec::new(), false);
    for line in code.lines() {
        let begins = (line.starts_with("mod ") || line.starts_with("pub mod ") || line.starts_with("pub(super) mod "))
            && line.ends_with('{');
        is_inside |= begins;
        if !is_inside {
            kept.push(line);
        }
        is_inside &= line != "}";
    }
    kept.join("\n")
}

/// Groups of files that use each other in a circle, each as one circle that goes through its first file.
pub(crate) fn cycles(uses: &Uses) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in uses.keys() {
        if !seen.contains(file)
            && let Some(circle) = circle_through(uses, file)
        {
            let reachable = reachable(uses, file);
            seen.extend(reachable.into_iter().filter(|other| self::reachable(uses, other).contains(file)));
            found.push(circle);
        }
    }
    found
}

/// The files that a file uses, directly or through others.
fn reachable(uses: &Uses, from: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(file) = open.pop() {
        for next in uses.get(&file).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// The shortest circle through a file: the file, what it uses, and so on back to the file.
fn circle_through(uses: &Uses, file: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(at) = open.pop_front() {
        for next in uses.get(at).into_iter().flatten() {
            if next == file {
                let mut circle = vec![file.to_owned(), at.to_owned()];
                while let Some(earlier) = before.get(circle.last().unwrap().as_str()) {
                    circle.push((*earlier).to_owned());
                }
                circle.dedup();
                circle.reverse();
                circle.push(file.to_owned());
                circle.dedup();
                return Some(circle);
            }
            if !before.contains_key(next.as_str()) {
                before.insert(next, at);
                open.push_back(next);
            }
        }
    }
    None
}
