//! The reference page of the checks, as `docs/doctor.md` contains it.

use super::{
    CHECKS, Problem,
    check::{named, placeholders},
};
use crate::domain::markdown::wrapped;

/// The page in Markdown, from headings of the second level on: a heading for every check, with its problems and what to
/// do about each.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    let mut group = None;
    for check in CHECKS {
        if group != Some(check.group) {
            group = Some(check.group);
            page.extend(["## ", check.group.title(), "\n\n"]);
        }
        let root = if check.needs_root { " Needs root." } else { "" };
        page.extend(["### ", check.name, "\n\n"]);
        page += &wrapped("", "", &format!("Passes if {}.{root}", named(check.passes_if)));
        page.push('\n');
        for problem in check.problems {
            page += &entry(problem);
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn entry(problem: &Problem) -> String {
    let mut text = wrapped(&format!("- **{}:** ", problem.outcome.as_str()), "  ", &format!("{}.", problem.when));
    text += &wrapped("  - Remedy: ", "    ", &shown(problem.remedy));
    if let Some(nixos) = problem.nixos {
        text += &wrapped("  - On NixOS: ", "    ", &shown(nixos));
    }
    text
}

/// A remedy whose placeholders are in capitals, as manuals write them.
fn shown(remedy: &str) -> String {
    let remedy = named(remedy);
    placeholders(&remedy)
        .fold(remedy.clone(), |text, name| text.replace(&format!("{{{name}}}"), &name.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_heading_for_every_check_with_each_of_its_remedies() {
        let page = reference();
        for check in CHECKS {
            let (_, rest) = page.split_once(&format!("\n### {}\n", check.name)).unwrap();
            let section = rest.split("\n### ").next().unwrap();
            assert_eq!(section.matches("Remedy: ").count(), check.problems.len(), "{}", check.name);
        }
        assert!(page.contains("Remedy: `usermod --shell /bin/sh USER`"), "{page}");
        assert!(page.lines().all(|line| !line.contains(['{', '|'])), "{page}");
    }
}
