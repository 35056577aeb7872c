//! The reference page of the checks, as `docs/doctor.md` contains it.

use super::{CHECKS, Outcome, Problem, check::placeholders};
use std::fmt::Write as _;

/// The page in Markdown, from headings of the second level on: a heading for every check, with its problems and what to
/// do about each.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    let mut group = None;
    for check in CHECKS {
        if group != Some(check.group) {
            group = Some(check.group);
            // Writing to a String cannot fail.
            let _ = writeln!(page, "## {}\n", check.group.title());
        }
        let root = if check.needs_root { " Needs root." } else { "" };
        let _ = writeln!(page, "### {}\n\nPasses if {}.{root}\n", check.name, check.passes_if);
        for problem in check.problems {
            let _ = writeln!(page, "{}", entry(problem));
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn entry(problem: &Problem) -> String {
    let outcome = if problem.outcome == Outcome::Fail { "fail" } else { "warn" };
    let mut text = format!("- **{outcome}:** {}.\n  - Remedy: {}", problem.when, shown(problem.remedy));
    if let Some(nixos) = problem.nixos {
        let _ = write!(text, "\n  - On NixOS: {}", shown(nixos));
    }
    text
}

/// A remedy whose placeholders are in capitals, as manuals write them.
fn shown(remedy: &str) -> String {
    placeholders(remedy)
        .fold(remedy.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), &name.to_ascii_uppercase()))
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
