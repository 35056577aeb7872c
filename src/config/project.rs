//! `projects.yaml`: the projects and their users.
//!
//! ```yaml
//! backend:
//!   repo: https://git.example.org/team/backend.git
//!   branch: main
//!   users: [alice, bob]      # absent: no user; ["*"]: every podspawn user
//!   memory: 4g
//! ```

use super::{
    error::ConfigError,
    fields::{Fields, Mistakes, parsed},
    keys::{Key, Row},
    readers::{CPUS, MEMORY, TTL},
    value::{Branch, LoginShell, Repository},
    yaml,
};
use crate::domain::{Cpus, ImageRef, Invalid, Mode, ProjectName, Size, Span, UserName};
use std::collections::{BTreeMap, BTreeSet};

/// Every project of `projects.yaml`. [`Default`] is that of an absent file: none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projects(BTreeMap<ProjectName, Project>);

/// A project. Settings that are absent come from the user, then from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Where its sources are.
    pub repo: Repository,
    /// The branch; `None` is the repository's own default.
    pub branch: Option<Branch>,
    /// Its users.
    pub users: ProjectUsers,
    /// The image, if it is not built from the repository.
    pub image: Option<ImageRef>,
    /// See [`super::SessionTimes`].
    pub mode: Option<Mode>,
    /// Processors.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Size>,
    /// The login shell to prefer.
    pub shell: Option<LoginShell>,
    /// See [`super::SessionTimes`].
    pub grace_period: Option<Span>,
    /// See [`super::SessionTimes`].
    pub max_lifetime: Option<Span>,
    /// See [`super::SessionTimes`].
    pub ttl: Option<Span>,
    /// See [`super::SessionTimes`].
    pub idle_timeout: Option<Span>,
}

/// The users of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectUsers {
    /// Every podspawn user: `users: ["*"]`.
    Everyone,
    /// These; an absent or empty list is no user, so that a forgotten line opens nothing.
    Listed(BTreeSet<UserName>),
}

impl ProjectUsers {
    /// Whether `user` is among them.
    #[must_use]
    pub fn contains(&self, user: &UserName) -> bool {
        match self {
            Self::Everyone => true,
            Self::Listed(users) => users.contains(user),
        }
    }
}

impl Projects {
    /// The projects in `text`, or every mistake in it. An empty text is no projects.
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let root = yaml::parse(text).map_err(|error| vec![error])?;
        let mistakes = Mistakes::default();
        let mut projects = BTreeMap::new();
        for (key_node, key, value) in Fields::of(&root, &root, "", &mistakes).entries() {
            let name = parsed(key_node, "project", &mistakes, str::parse::<ProjectName>);
            let project = Fields::of(key_node, value, key, &mistakes).all(Project::read);
            let Some(name) = name else { continue };
            if let Some(project) = project
                && projects.insert(name.clone(), project).is_some()
            {
                mistakes.at(key_node, &format!("project {name} is given twice: the suffix .pod is not part of a name"));
            }
        }
        mistakes.or(Self(projects))
    }

    /// The project of that name.
    #[must_use]
    pub fn get(&self, name: &ProjectName) -> Option<&Project> {
        self.0.get(name)
    }

    /// Every project, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ProjectName, &Project)> {
        self.0.iter()
    }
}

/// Every key of a project.
pub(super) const KEYS: [Row; 12] = [
    Row::Own(Key::own(
        "repo",
        "a URL of git, or `user@host:path`; required",
        "The repository of the project. This version clones and builds nothing from it.",
    )),
    Row::Own(Key::own("branch", "a branch such as `main`", "The branch. Without it, the repository's default.")),
    Row::Own(Key::own(
        "users",
        "a list of login names, or `[\"*\"]` for all users",
        "The users who may enter the project. Without the key no user may.",
    )),
    Row::Overrides("defaults.image"),
    Row::Overrides("session.mode"),
    Row::Overrides("defaults.cpus"),
    Row::Overrides("defaults.memory"),
    Row::Overrides("defaults.shell"),
    Row::Overrides("session.grace_period"),
    Row::Overrides("session.max_lifetime"),
    Row::Overrides("session.ttl"),
    Row::Overrides("session.idle_timeout"),
];

impl Project {
    /// `None` if there is no repository, which has been reported.
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let repo = fields.required("repo");
        Some(Self {
            branch: fields.optional("branch"),
            users: users(fields),
            image: fields.optional("image"),
            mode: fields.optional("mode"),
            cpus: (CPUS.read)(fields, "cpus"),
            memory: (MEMORY.read)(fields, "memory"),
            shell: fields.optional("shell"),
            grace_period: fields.optional("grace_period"),
            max_lifetime: fields.optional("max_lifetime"),
            ttl: (TTL.read)(fields, "ttl"),
            idle_timeout: fields.optional("idle_timeout"),
            // Last: every key has to be asked for before a missing repository ends this.
            repo: repo?,
        })
    }
}

fn users(fields: &mut Fields<'_>) -> ProjectUsers {
    // `None` is everyone.
    let who = |text: &str| -> Result<Option<UserName>, Invalid> {
        if text == "*" { Ok(None) } else { text.parse().map(Some) }
    };
    let listed: Option<BTreeSet<UserName>> = fields.list("users", who).unwrap_or_default().into_iter().collect();
    listed.map_or(ProjectUsers::Everyone, ProjectUsers::Listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
backend:
  repo: https://git.example.org/team/backend.git
  branch: main
  users: [alice, bob]
  memory: 4g
  mode: ttl
  ttl: 2h
open.pod: { repo: \"git@host:open\", users: [\"*\"] }
closed: { repo: /srv/closed.git }
";

    fn messages(text: &str) -> Vec<String> {
        Projects::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_project_without_users_is_open_to_no_user() {
        let projects = Projects::parse(TEXT).unwrap();
        let may = |user: &str, project: &str| {
            projects.get(&project.parse().unwrap()).unwrap().users.contains(&user.parse().unwrap())
        };
        assert!(may("alice", "backend") && !may("carol", "backend"));
        assert!(may("carol", "open"));
        assert!(!may("alice", "closed"));
        let backend = projects.get(&"backend".parse().unwrap()).unwrap();
        assert_eq!((backend.mode, backend.memory), (Some(Mode::Ttl), Some("4g".parse().unwrap())));
        assert_eq!(Projects::parse("").unwrap(), Projects::default());
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        assert_eq!(
            messages("a:\n  brunch: main\n  users: alice\n"),
            [
                "1:1: a.repo is missing",
                "2:3: unknown key \"brunch\" in a; did you mean \"branch\"?",
                "3:10: a.users must be a list such as [a, b]",
            ]
        );
        assert!(messages("../x: {repo: /r}")[0].contains("is not a project name"));
        assert!(messages("a: {repo: /r}\na.pod: {repo: /r}")[0].starts_with("2:1: project a is given twice"));
        assert!(messages("a: {repo: /r}\na: {repo: /r}")[0].starts_with("2:1: a is given twice, first in line 1"));
    }
}
