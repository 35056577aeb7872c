//! A check: its name, what has to be so, the problems that it can report, and the function that looks.
//!
//! The reference page and the lines that `podspawn doctor` prints are made of the same [`Problem`]s.

use super::{Host, Outcome, Report};
use crate::{
    domain::text::{self, is_plain},
    engine::product,
};
use std::fmt::Display;

/// The part of the host that checks look at: a chapter of the reference page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// sshd and its configuration.
    Sshd,
    /// Keys of users.
    Keys,
    /// Accounts of users and of podspawn.
    Accounts,
    /// Directories and configuration files.
    Files,
    /// The broker and its units.
    Broker,
    /// The container engine, and containers.
    Engine,
    /// Disks, memory, and limits of the kernel.
    Resources,
    /// The state database and homes.
    State,
    /// Logs and the journal.
    Logs,
    /// Cleanup, backups, and metrics.
    Services,
    /// The host itself.
    Host,
}

impl Group {
    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sshd => "sshd",
            Self::Keys => "Keys",
            Self::Accounts => "Accounts",
            Self::Files => "Directories and configuration",
            Self::Broker => "Broker",
            Self::Engine => "Engine and containers",
            Self::Resources => "Resources",
            Self::State => "State",
            Self::Logs => "Logs",
            Self::Services => "Cleanup, backups, metrics",
            Self::Host => "Host",
        }
    }
}

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name, which stays the same from version to version.
    pub name: &'static str,
    /// The part of the host that it looks at.
    pub group: Group,
    /// What is so if it passes; in Markdown, it completes "Passes if".
    pub passes_if: &'static str,
    /// Every problem that it can report.
    pub problems: &'static [Problem],
    /// Whether only root can read what it looks at.
    pub needs_root: bool,
    /// Looks. It changes nothing and prints nothing.
    pub run: fn(&Host) -> Report,
}

/// Names of a remedy's placeholders, and what takes their place.
pub type Values<'a> = &'a [(&'a str, &'a dyn Display)];

impl Check {
    pub(super) fn pass(&self, seen: impl Into<String>) -> Report {
        Report::pass(self.name, seen)
    }

    /// One of the problems of this check; `seen` is the state of this host.
    pub(super) fn report(&self, problem: &Problem, seen: impl Into<String>, values: Values<'_>) -> Report {
        debug_assert!(self.problems.contains(problem), "{} has no such problem: {problem:?}", self.name);
        problem.report(self.name, seen, values)
    }

    pub(super) fn unknown(&self, why: impl Display, remedy: impl Into<String>) -> Report {
        Report::unknown(self.name, why, remedy)
    }

    /// All problems as one report, the worst first; `good` is what is so without any.
    pub(super) fn merge(&self, reports: Vec<Report>, good: impl Into<String>) -> Report {
        Report::merge(self.name, reports, good)
    }
}

/// A problem that a check can report, and its remedy.
///
/// A remedy is Markdown with placeholders: `{engine-command}` and the like for names of the engine's product, and others,
/// such as `{user}`, for values. Where it is a command alone, the line that is printed can be given to a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// How serious it is.
    pub outcome: Outcome,
    /// When it is reported.
    pub when: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// What to do where NixOS's configuration makes the files that would be changed.
    pub nixos: Option<&'static str>,
}

impl Problem {
    /// A problem that fails the check.
    pub(super) const fn fail(when: &'static str, remedy: &'static str) -> Self {
        Self { outcome: Outcome::Fail, when, remedy, nixos: None }
    }

    /// A problem that is a warning.
    pub(super) const fn warn(when: &'static str, remedy: &'static str) -> Self {
        Self { outcome: Outcome::Warn, when, remedy, nixos: None }
    }

    /// The same problem with another remedy for NixOS.
    pub(super) const fn on_nixos(self, remedy: &'static str) -> Self {
        Self { nixos: Some(remedy), ..self }
    }

    /// The same problem as a warning.
    pub(super) const fn as_warning(self) -> Self {
        Self { outcome: Outcome::Warn, ..self }
    }

    /// The report of this problem by `check`.
    #[must_use]
    pub fn report(&self, check: &'static str, seen: impl Into<String>, values: Values<'_>) -> Report {
        let report = match self.outcome {
            Outcome::Fail => Report::fail(check, seen, fill(self.remedy, values)),
            _ => Report::warn(check, seen, fill(self.remedy, values)),
        };
        match self.nixos {
            Some(nixos) => report.on_nixos(fill(nixos, values)),
            None => report,
        }
    }
}

/// A remedy as it is printed: without marks of Markdown, and on one line whatever the values have in them.
fn fill(remedy: &str, values: Values<'_>) -> String {
    let remedy = named(remedy);
    debug_assert!(placeholders(&remedy).all(|name| values.iter().any(|(given, _)| *given == name)), "{remedy}");
    text::fill(&remedy.replace('`', ""), |name| {
        let (_, value) = values.iter().find(|(given, _)| *given == name)?;
        Some(value.to_string().chars().filter(|c| is_plain(*c)).collect())
    })
}

/// `text` with the names of the engine's product.
pub(super) fn named(text: &str) -> String {
    product().fill(text)
}

/// The names of a remedy's placeholders.
pub(super) fn placeholders(remedy: &str) -> impl Iterator<Item = &str> {
    remedy.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_one_line_with_its_values_and_without_marks_of_markdown() {
        let problem = Problem::warn("a user is locked", "`rm {path}` or mount {path}").on_nixos("set x.{user}");
        let report = problem.report("check", "it is so", &[("path", &"/a\nb"), ("user", &"eve")]);
        assert_eq!((report.outcome, report.remedy.as_str()), (Outcome::Warn, "rm /ab or mount /ab"));
        assert_eq!(report.declared().remedy, "set x.eve");
        assert_eq!(Problem::fail("x", "y").as_warning().outcome, Outcome::Warn);
    }
}
