//! Refusals, in the words that the user reads.

use crate::domain::{ProjectName, SessionKey, UserName};

/// Most projects that a refusal names: it is one line of a terminal.
const MAX_NAMED: usize = 8;

/// Why a user does not get a session. Each text is one line, shown verbatim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No such project. Names those that are open to the user, and no other.
    #[error("no project \"{project}\"; {}", open_projects(open))]
    UnknownProject {
        /// What was asked for.
        project: ProjectName,
        /// What is open to the user.
        open: Vec<ProjectName>,
    },
    /// The project exists and is not open to this user.
    #[error(
        "project \"{project}\" is not open to {user}; an administrator can add {user} to its users in projects.yaml"
    )]
    NotAllowed {
        /// Who asked.
        user: UserName,
        /// What was asked for.
        project: ProjectName,
    },
    /// The user is at the limit of sessions.
    #[error("{0} has {sessions} of at most {limit} sessions; free one with: ssh {0}@HOST podspawn stop{1}", free.user, of(free.project.as_ref()))]
    TooManySessions {
        /// How many the user has.
        sessions: u32,
        /// `resources.max_per_user`.
        limit: u32,
        /// One of them, whose end makes room; its user is the one who asked.
        free: SessionKey,
    },
    /// The host is at the limit of containers.
    #[error(
        "this host is at its limit of {limit} containers; try again later, or ask an administrator to raise \
             resources.max_containers"
    )]
    TooManyContainers {
        /// `resources.max_containers`.
        limit: u32,
    },
    /// The project's image has to be built first.
    #[error("image not pre-built, run podspawn update-project {project}")]
    NotBuilt {
        /// Whose image it is.
        project: ProjectName,
    },
}

impl Denial {
    /// Which it is, as it is counted.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UnknownProject { .. } => "unknown_project",
            Self::NotAllowed { .. } => "not_allowed",
            Self::TooManySessions { .. } => "too_many_sessions",
            Self::TooManyContainers { .. } => "too_many_containers",
            Self::NotBuilt { .. } => "not_built",
        }
    }
}

fn of(project: Option<&ProjectName>) -> String {
    project.map_or_else(String::new, |project| format!(" {project}"))
}

fn open_projects(open: &[ProjectName]) -> String {
    if open.is_empty() {
        return "no project is open to you".to_owned();
    }
    let names: Vec<&str> = open.iter().take(MAX_NAMED).map(AsRef::as_ref).collect();
    let more = if open.len() > MAX_NAMED { ", …" } else { "" };
    format!("you may use: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_documented() {
        let project: ProjectName = "backend".parse().unwrap();
        let free = SessionKey { user: "alice".parse().unwrap(), project: Some(project.clone()) };
        for (denial, text) in [
            (
                Denial::UnknownProject { project: project.clone(), open: Vec::new() },
                "no project \"backend\"; no project is open to you",
            ),
            (
                Denial::TooManySessions { sessions: 3, limit: 3, free },
                "alice has 3 of at most 3 sessions; free one with: ssh alice@HOST podspawn stop backend",
            ),
            (
                Denial::TooManyContainers { limit: 50 },
                "this host is at its limit of 50 containers; try again later, or ask an administrator to raise \
                 resources.max_containers",
            ),
            (Denial::NotBuilt { project }, "image not pre-built, run podspawn update-project backend"),
        ] {
            assert_eq!(denial.to_string(), text);
        }
    }

    #[test]
    fn a_refusal_stays_one_short_line() {
        let open = (0..1000).map(|n| format!("project-{n}").parse().unwrap()).collect();
        let text = Denial::UnknownProject { project: "x".parse().unwrap(), open }.to_string();
        assert!(text.len() < 200 && text.ends_with('…'), "{text}");
    }
}
