//! `check-config [PATH]`: parses and validates every file, and prints each mistake with its place and a remedy.

use crate::{
    config::{Config, ConfigError, FileError, Projects, UserOverrides, text_of, unusable},
    domain::plain,
    settings,
};
use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Checks `path`: a directory laid out as `/etc/podspawn`, which is the default, or one file.
///
/// Good files are listed on stdout, mistakes go to stderr as `FILE:LINE:COLUMN: message`. Ends with 1 if there are any.
#[must_use]
pub fn run(path: Option<&Path>) -> ExitCode {
    let path = path.unwrap_or(Path::new(settings::ROOT));
    let checked = if path.is_dir() { directory(path) } else { file(path) };
    // A closed stream needs no message; the exit code still shows the result.
    let _ = std::io::stdout().lock().write_all(checked.listing().as_bytes());
    if checked.has_projects {
        let _ = writeln!(std::io::stdout().lock(), "{REPOSITORIES}");
    }
    let mut stderr = std::io::stderr().lock();
    for mistake in &checked.mistakes {
        let _ = writeln!(stderr, "{}", plain(mistake));
    }
    if checked.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Settings of a valid file that have no effect.
const REPOSITORIES: &str =
    "note: nothing is cloned or built from a project's repo in this version; its sessions have its image";

struct Checked {
    /// Whether there is a project.
    has_projects: bool,
    files: Vec<PathBuf>,
    mistakes: Vec<FileError>,
    /// Names are shown relative to it.
    root: PathBuf,
}

impl Checked {
    /// `config.yaml:   ok`, aligned; nothing for files with mistakes.
    fn listing(&self) -> String {
        let good: Vec<String> = self
            .files
            .iter()
            .filter(|file| self.mistakes.iter().all(|mistake| mistake.path != **file))
            .map(|file| format!("{}:", file.strip_prefix(&self.root).unwrap_or(file).display()))
            .collect();
        let width = good.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let mut listing = String::new();
        for name in good {
            // Writing to a String cannot fail.
            let _ = writeln!(listing, "{name:width$} ok");
        }
        if self.files.is_empty() && self.mistakes.is_empty() {
            let _ = writeln!(listing, "{}: no files, so the defaults apply", self.root.display());
        }
        listing
    }
}

fn directory(root: &Path) -> Checked {
    let look = settings::look(root);
    let has_projects = look.settings.as_ref().is_ok_and(|settings| settings.projects.iter().next().is_some());
    Checked {
        files: look.files,
        mistakes: look.settings.err().unwrap_or_default(),
        root: root.to_owned(),
        has_projects,
    }
}

/// What a file is called says what it is: `projects.yaml`, `users/<user>.yaml`, and anything else a server's
/// configuration.
fn file(path: &Path) -> Checked {
    let parent = path.parent().unwrap_or(Path::new(""));
    let mistakes = match std::fs::read(path) {
        Err(error) => vec![unusable(path, &error.to_string())],
        Ok(bytes) => match text_of(path, bytes) {
            Err(error) => vec![error],
            Ok(text) => {
                let errors = if path.file_name().is_some_and(|name| name == "projects.yaml") {
                    Projects::parse(&text).err()
                } else if parent.file_name().is_some_and(|name| name == "users") {
                    UserOverrides::parse(&text).err()
                } else {
                    Config::parse(&text).err()
                };
                let at = |error: ConfigError| FileError { path: path.to_owned(), error };
                errors.unwrap_or_default().into_iter().map(at).collect()
            }
        },
    };
    Checked { files: vec![path.to_owned()], mistakes, root: parent.to_owned(), has_projects: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn good_files_are_listed_aligned_and_bad_ones_are_reported() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("users")).unwrap();
        fs::write(root.path().join("config.yaml"), "resources: {max_per_user: 2}").unwrap();
        fs::write(root.path().join("projects.yaml"), "a: {repo: x}").unwrap();
        fs::write(root.path().join("users/alice.yaml"), "memory: 1g").unwrap();
        let checked = directory(root.path());
        assert_eq!(checked.listing(), "config.yaml:      ok\nusers/alice.yaml: ok\n");
        assert_eq!(checked.mistakes.len(), 1);
        let found = checked.mistakes[0].to_string();
        assert!(found.starts_with(&format!("{}/projects.yaml:1:11: a.repo: ", root.path().display())), "{found}");
        assert!(!checked.has_projects);
    }

    #[test]
    fn a_shell_that_ends_every_login_is_a_mistake_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("users")).unwrap();
        fs::write(root.path().join("users/alice.yaml"), "memory: 1g\nshell: /bin/false\n").unwrap();
        fs::write(root.path().join("projects.yaml"), "a: {repo: /r, shell: zsh}\n").unwrap();
        fs::write(root.path().join("config.yaml"), "defaults: {shell: /usr/sbin/nologin}\n").unwrap();
        let found: Vec<String> = directory(root.path()).mistakes.iter().map(ToString::to_string).collect();
        let place = |file: &str| format!("{}/{file}", root.path().display());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with(&place("config.yaml:1:19: defaults.shell: \"/usr/sbin/nologin\" is not a shell")),
            "{found:?}"
        );
        assert!(
            found[1].starts_with(&place("projects.yaml:1:22: a.shell: \"zsh\" is not the absolute path")),
            "{found:?}"
        );
        assert!(
            found[2].starts_with(&place("users/alice.yaml:2:8: shell: \"/bin/false\" is not a shell")),
            "{found:?}"
        );
        fs::write(root.path().join("projects.yaml"), "a: {repo: /r}\n").unwrap();
        fs::remove_file(root.path().join("config.yaml")).unwrap();
        fs::remove_file(root.path().join("users/alice.yaml")).unwrap();
        assert!(directory(root.path()).has_projects);
    }

    #[test]
    fn a_single_file_is_what_its_name_says() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("users")).unwrap();
        for (name, text) in
            [("users/bob.yaml", "mode: ttl"), ("projects.yaml", "a: {repo: /r}"), ("new.yaml", "session: {mode: ttl}")]
        {
            let path = root.path().join(name);
            fs::write(&path, text).unwrap();
            assert!(file(&path).mistakes.is_empty(), "{name}");
        }
        assert_eq!(file(&root.path().join("absent.yaml")).mistakes.len(), 1);
        assert!(directory(&root.path().join("nothing")).listing().contains("defaults apply"));
    }
}
