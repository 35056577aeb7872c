//! The reference of all keys in Markdown, for `docs/` and the manual pages.

use super::{
    keys::{FIRST_VERSION, Key, Row},
    project, server, user,
};
use std::fmt::Write as _;

/// Longest line of a paragraph, in characters.
const WIDTH: usize = 100;

/// The files of projects and users, with their keys.
const OTHERS: [(&str, &str, &[Row]); 2] = [
    (
        "projects.yaml",
        "Each top-level key is the name of a project; these are the keys of one project.",
        &project::KEYS,
    ),
    (
        "users/NAME.yaml",
        "Settings of one user. They take precedence over the server's, and a project's over them.",
        &user::KEYS,
    ),
];

/// Every key of every file, in the order of the files: a heading, the meaning, and a list of values, default and files.
#[must_use]
pub fn reference() -> String {
    let mut page = "## config.yaml\n\nEvery key is optional.\n".to_owned();
    for section in server::KEYS {
        if let Some(key) = section.first().filter(|key| !key.section.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(page, "\n### {}\n", key.section);
        }
        for key in section {
            let also = OTHERS.iter().filter(|(_, _, rows)| overrides(rows, key)).map(|(file, _, _)| *file);
            entry(&mut page, key, &also.collect::<Vec<_>>());
        }
    }
    for (file, about, rows) in OTHERS {
        let _ = write!(page, "\n## {file}\n\n{about}\n");
        for row in rows {
            match row {
                Row::Own(key) => entry(&mut page, key, &[]),
                Row::Overrides(server) => {
                    let _ = write!(page, "\n#### `{}`\n\nTakes the place of the server's `{server}`.\n", row.name());
                }
            }
        }
    }
    page
}

fn overrides(rows: &[Row], key: &Key) -> bool {
    rows.iter().any(|row| matches!(row, Row::Overrides(server) if *server == key.full_name()))
}

fn entry(page: &mut String, key: &Key, also: &[&str]) {
    let _ = write!(page, "\n#### `{}`\n\n{}\n\n- Values: {}\n", key.full_name(), wrapped(key.meaning), key.values);
    if let Some(default) = key.default {
        let _ = writeln!(page, "- Default: `{default}`");
    }
    if !also.is_empty() {
        let _ = writeln!(page, "- Also in: `{}`", also.join("`, `"));
    }
    if key.since != FIRST_VERSION {
        let _ = writeln!(page, "- Since: {}", key.since);
    }
}

/// `text` in lines of at most [`WIDTH`] characters, where its words allow that.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Projects, Settings, UserOverrides};

    /// The keys that a reader knows, from its complaint about one that it does not know.
    fn known(messages: &[String]) -> Vec<String> {
        let list = messages.iter().find_map(|message| message.split(" are ").nth(1)).unwrap();
        list.split(", ").map(str::to_owned).collect()
    }

    fn texts<T, E: ToString>(result: Result<T, Vec<E>>) -> Vec<String> {
        result.err().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_default_is_valid_and_that_of_an_empty_file() {
        let mut text = String::new();
        for section in server::KEYS {
            let name = section[0].section;
            let indent = if name.is_empty() { "" } else { "  " };
            if !name.is_empty() {
                writeln!(text, "{name}:").unwrap();
            }
            for key in section {
                writeln!(text, "{indent}{}: {}", key.name, key.default.unwrap()).unwrap();
            }
        }
        let given = Config::parse(&text).unwrap();
        assert_eq!(
            given.projects_file.as_ref().map(ToString::to_string).as_deref(),
            Some("/etc/podspawn/projects.yaml")
        );
        assert_eq!(Config { projects_file: None, ..given }, Settings::default().config);
    }

    #[test]
    fn the_tables_have_every_key_that_is_read_and_no_other() {
        let mut sections: Vec<&str> = server::KEYS.iter().map(|section| section[0].section).collect();
        sections.iter_mut().filter(|name| name.is_empty()).for_each(|name| *name = "projects_file");
        let mut read = known(&texts(Config::parse("qqqqqqqqqqqq: 1")));
        sections.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, sections);
        for section in server::KEYS.iter().filter(|section| !section[0].section.is_empty()) {
            let text = format!("{}: {{qqqqqqqqqqqqqqqqqqqq: 1}}", section[0].section);
            let mut read = known(&texts(Config::parse(&text)));
            let mut rows: Vec<&str> = section.iter().map(|key| key.name).collect();
            read.sort();
            // A check across keys asks for one of them again.
            read.dedup();
            rows.sort_unstable();
            assert_eq!(read, rows);
        }
        let names = |rows: &[Row]| -> Vec<String> {
            let top = |name: String| name.split('.').next().unwrap_or_default().to_owned();
            let mut names: Vec<String> = rows.iter().map(Row::name).map(top).collect();
            names.sort();
            names.dedup();
            names
        };
        for (mut read, rows) in [
            (known(&texts(Projects::parse("a: {repo: /r, qqqqqqqqqqqq: 1}"))), names(&project::KEYS)),
            (known(&texts(UserOverrides::parse("qqqqqqqqqqqq: 1"))), names(&user::KEYS)),
        ] {
            read.sort();
            assert_eq!(read, rows);
        }
    }

    #[test]
    fn what_overrides_a_setting_of_the_server_names_one() {
        let server: Vec<String> = server::KEYS.iter().flat_map(|section| section.iter().map(Key::full_name)).collect();
        for (file, _, rows) in OTHERS {
            for row in rows {
                assert!(
                    !matches!(row, Row::Overrides(name) if !server.contains(&(*name).to_owned())),
                    "{file}: {row:?}"
                );
            }
        }
    }

    #[test]
    fn the_reference_has_a_heading_a_meaning_and_a_default_for_each_key() {
        let page = reference();
        for part in [
            "## config.yaml\n",
            "### session\n\n#### `session.mode`\n\nWhat happens to a container after the last disconnect.",
            "- Values: a number from 1 to 100000\n- Default: `50`\n",
            "- Also in: `projects.yaml`, `users/NAME.yaml`\n",
            "## projects.yaml\n",
            "#### `idle_timeout`\n\nTakes the place of the server's `session.idle_timeout`.\n",
            "#### `dotfiles.install`\n",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(page.lines().all(|line| line.chars().count() <= 120), "a line is too long");
    }
}
