//! The documents: generated parts are those of the code, lines fit a screen, and every link leads somewhere.
//!
//! `UPDATE=1 cargo test --test documents` rewrites the generated parts.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use clap::ValueEnum as _;
use podspawn::command::reference::Page;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Longest line outside of code blocks and tables, in characters.
const MAX_LINE: usize = 120;
/// Longest cell of a table, in characters.
const MAX_CELL: usize = 100;
/// A generated part stands between these; `NAME` is a page of `podspawn reference`.
const BEGIN: &str = "<!-- generated: podspawn reference ";
const END: &str = "<!-- end -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages in docs/, and the documents at the top.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.extend(["README.md", "CHANGELOG.md", "nix/OPTIONS.md"].map(|name| root().join(name)));
    documents.sort();
    assert!(documents.len() > 3, "{documents:?}");
    documents
}

fn name_of(document: &Path) -> String {
    document.strip_prefix(root()).unwrap().display().to_string()
}

/// The lines with their numbers, without those of code blocks.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        match fence {
            Some(open) if start == open => fence = None,
            Some(_) => {}
            None if start.starts_with("```") => fence = Some("```"),
            None => lines.push((number + 1, line)),
        }
    }
    lines
}

/// A line without its code spans.
fn without_code(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].chars().take_while(|c| *c == '`').count();
        let (open, behind) = (&rest[start..start + ticks], &rest[start + ticks..]);
        text.push_str(&rest[..start]);
        rest = behind.split_once(open).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

/// The names under which GitHub links to the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
            .collect();
        let mut anchor = slug.clone();
        for number in 1.. {
            if anchors.insert(anchor.clone()) {
                break;
            }
            anchor = format!("{slug}-{number}");
        }
    }
    anchors
}

/// The targets of Markdown links in a line.
fn links(line: &str) -> Vec<String> {
    let line = without_code(line);
    line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn generated_parts_are_what_the_code_says() {
    let is_update = std::env::var_os("UPDATE").is_some();
    let mut found = BTreeSet::new();
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let mut written = String::new();
        let mut rest = text.as_str();
        while let Some((before, part)) = rest.split_once(BEGIN) {
            let (name, part) = part.split_once(" -->\n").expect("the marker's end");
            let (_, after) = part.split_once(END).expect("the generated part's end");
            let page = Page::from_str(name, false).unwrap_or_else(|_| panic!("no page {name}"));
            assert!(found.insert(name.to_owned()), "{name} stands twice");
            let _ = write!(written, "{before}{BEGIN}{name} -->\n\n{}\n\n{END}", page.markdown().trim());
            rest = after;
        }
        written += rest;
        if written == text {
            continue;
        }
        if is_update {
            fs::write(&document, written).unwrap();
        } else {
            wrong.push(name_of(&document));
        }
    }
    assert_none("not as generated; run UPDATE=1 cargo test --test documents", &wrong);
    let pages = Page::value_variants().iter().map(|page| page.to_possible_value().unwrap().get_name().to_owned());
    assert_eq!(found, pages.collect(), "every page of `podspawn reference` stands in docs/");
}

#[test]
fn lines_and_cells_fit_a_screen() {
    let mut wide = Vec::new();
    // nix/OPTIONS.md is generated from the module, with the module's widths.
    for document in documents().iter().filter(|path| !path.ends_with("nix/OPTIONS.md")) {
        for (number, line) in prose(&fs::read_to_string(document).unwrap()) {
            let place = format!("{}:{number}", name_of(document));
            if line.starts_with('|') {
                let line = line.replace("\\|", "¦");
                wide.extend(
                    line.split('|')
                        .map(str::trim)
                        .filter(|cell| cell.chars().count() > MAX_CELL)
                        .map(|cell| format!("{place}: a cell of {} characters: {cell}", cell.chars().count())),
                );
            } else if line.chars().count() > MAX_LINE {
                wide.push(format!("{place}: a line of {} characters", line.chars().count()));
            }
        }
    }
    assert_none("too wide", &wide);
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (lines, words) = (readme.lines().count(), readme.split_whitespace().count());
    // 200 words a minute is a slow reader of a foreign language.
    assert!(lines <= 200 && words <= 1000, "{lines} lines, {words} words");
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let pages = documents().into_iter().map(|path| name_of(&path)).filter(|name| name.starts_with("docs/"));
    let unlinked: Vec<_> = pages.filter(|name| !readme.contains(&format!("]({name})"))).collect();
    assert_none("not linked from README.md", &unlinked);
}

#[test]
fn the_documents_name_every_command_that_replaces_another() {
    let texts: String = documents().iter().map(|document| fs::read_to_string(document).unwrap()).collect();
    let mut count = 0;
    let mut missing = Vec::new();
    for chapter in fs::read_dir(root().join("tests/guides.d")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(script) = fs::read_to_string(&chapter) else { continue };
        // `instead OLD NAMED COMMAND PATTERN…`, in single quotes.
        for line in script.lines().filter_map(|line| line.trim_start().strip_prefix("instead '")) {
            let named = line.split("' '").nth(1).unwrap().split('\'').next().unwrap();
            count += 1;
            if !texts.contains(named) {
                missing.push(format!("{}: {named}", name_of(&chapter)));
            }
        }
    }
    assert_none("no document has this", &missing);
    assert!(count > 10, "only {count} were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for document in documents() {
        for (number, line) in prose(&fs::read_to_string(&document).unwrap()) {
            for link in links(line) {
                count += 1;
                let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
                if path.starts_with("https://") {
                    continue;
                }
                let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
                let is_there = target.exists()
                    && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
                if !is_there {
                    broken.push(format!("{}:{number}: {link}", name_of(&document)));
                }
            }
        }
    }
    assert_none("links that lead nowhere", &broken);
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn anchors_are_githubs() {
    let text = "# One: *two*\n```\n# not this\n```\n## `a_b` / c\n## `a_b` / c\n#no\n";
    let expected = ["one-two", "a_b--c", "a_b--c-1"].map(str::to_owned);
    assert_eq!(anchors(text), expected.into());
    assert_eq!(links("[a](b.md#c) and `[d](e)` and [f](https://g)"), ["b.md#c", "https://g"]);
}

#[test]
fn paths_in_the_developers_page_exist() {
    let text = fs::read_to_string(root().join("docs/develop.md")).unwrap();
    let mut gone = Vec::new();
    for (number, line) in prose(&text) {
        let spans = line.split('`').skip(1).step_by(2);
        let paths = spans.filter(|span| span.starts_with("src/") && !span.contains("NAME"));
        gone.extend(paths.filter(|path| !root().join(path).exists()).map(|path| format!("line {number}: {path}")));
    }
    assert_none("docs/develop.md names files that do not exist", &gone);
}
