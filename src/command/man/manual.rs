//! The manual pages that are no verb's: podspawn(7), podspawn.yaml(5) and podspawn-projects.yaml(5).
//!
//! Their text stands beside this file as Markdown. A line `@FILE@` stands for the keys of that configuration file.

use super::roff::{body, literal};
use crate::config;

/// A page: its name, its section, its description for apropos(1), and its text.
struct Page {
    name: &'static str,
    section: u8,
    about: &'static str,
    text: &'static str,
}

const PAGES: [Page; 3] = [
    Page {
        name: "podspawn",
        section: 7,
        about: "concepts, files and environment of podspawn",
        text: include_str!("podspawn.7.md"),
    },
    Page {
        name: "podspawn.yaml",
        section: 5,
        about: "configuration of podspawn's server and users",
        text: include_str!("podspawn.yaml.5.md"),
    },
    Page {
        name: "podspawn-projects.yaml",
        section: 5,
        about: "projects of podspawn and the users who may enter them",
        text: include_str!("podspawn-projects.yaml.5.md"),
    },
];

/// Name, section and text in roff of each page.
pub(super) fn pages() -> Vec<(String, u8, Vec<u8>)> {
    let reference = config::reference();
    PAGES.iter().map(|page| (page.name.to_owned(), page.section, page.roff(&reference).into_bytes())).collect()
}

impl Page {
    fn roff(&self, reference: &str) -> String {
        let keys = |line: &str| {
            let file = line.strip_prefix('@').and_then(|line| line.strip_suffix('@'));
            file.map_or_else(|| line.to_owned(), |file| keys_of(file, reference).to_owned())
        };
        let text: Vec<String> = self.text.lines().map(keys).collect();
        let Self { name, section, about, .. } = self;
        format!(
            ".TH {} {section} \"\" \"podspawn {}\"\n.nh\n.SH NAME\n{} \\- {}\n{}",
            literal(name),
            env!("CARGO_PKG_VERSION"),
            literal(name),
            literal(about),
            body(&text.join("\n")),
        )
    }
}

/// The part of the reference of all keys that is about `file`.
fn keys_of<'a>(file: &str, reference: &'a str) -> &'a str {
    let (_, part) = reference.split_once(&format!("## {file}\n")).unwrap_or_default();
    part.split("\n## ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_the_configuration_have_its_keys() {
        let pages = pages();
        let has = |name: &str, key: &str| {
            let (_, _, page) = pages.iter().find(|(page, _, _)| page == name).unwrap();
            String::from_utf8_lossy(page).contains(key)
        };
        for key in ["\\fBsession.idle_timeout\\fR", "\\fBsecurity.cap_add\\fR", "\\fBdotfiles.install\\fR"] {
            assert!(has("podspawn.yaml", key), "{key}");
        }
        assert!(has("podspawn-projects.yaml", "\\fBrepo\\fR"));
        assert!(pages.iter().all(|(name, _, _)| !has(name, "\n@")), "a mark is left");
    }
}
