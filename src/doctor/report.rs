//! The result of a check: one line of `podspawn doctor`.

use crate::domain::{plain, text::is_plain};
use serde::Serialize;
use std::{cmp::Reverse, fmt};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// It works, and an administrator should know; or the state could not be found out.
    Warn,
    /// A user cannot log in, or can do more than they should.
    Fail,
}

impl Outcome {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The result of a check, or one of the problems that it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The check's name, which stays the same from version to version.
    pub check: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// The state that was seen.
    pub seen: String,
    /// What to do, with the command if there is one, a line for each thing; empty if there is nothing to do.
    pub remedy: String,
    /// What to do where NixOS's configuration makes the files that would be changed.
    #[serde(skip)]
    nixos: Option<String>,
}

/// Most problems that one report names.
const MAX_NAMED: usize = 4;

impl Report {
    fn new(check: &'static str, outcome: Outcome, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        let mut remedy = remedy.into();
        // A line for each thing to do, and no other control characters.
        remedy.retain(|c| c == '\n' || is_plain(c));
        Self { check, outcome, seen: plain(seen.into()), remedy, nixos: None }
    }

    /// As it should be.
    #[must_use]
    pub fn pass(check: &'static str, seen: impl Into<String>) -> Self {
        Self::new(check, Outcome::Pass, seen, "")
    }

    /// It works, and an administrator should know.
    #[must_use]
    pub fn warn(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Outcome::Warn, seen, remedy)
    }

    /// It does not work, or allows more than it should.
    #[must_use]
    pub fn fail(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Outcome::Fail, seen, remedy)
    }

    /// The state could not be found out, so the check does not pass.
    #[must_use]
    pub fn unknown(check: &'static str, why: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self::warn(check, format!("unknown: {why}"), remedy)
    }

    /// All problems of a check as one report, the worst first; `good` is what is so without any.
    #[must_use]
    pub fn merge(check: &'static str, mut reports: Vec<Self>, good: impl Into<String>) -> Self {
        reports.sort_by_key(|report| Reverse(report.outcome));
        let Some(outcome) = reports.first().map(|report| report.outcome) else { return Self::pass(check, good) };
        let named = reports.get(..MAX_NAMED).unwrap_or(&reports);
        let mut seen: Vec<&str> = named.iter().map(|report| report.seen.as_str()).collect();
        let more = format!("{} more", reports.len().saturating_sub(MAX_NAMED));
        if reports.len() > MAX_NAMED {
            seen.push(&more);
        }
        let remedy = once_each(named.iter().map(|report| report.remedy.as_str()));
        let nixos = once_each(named.iter().map(|report| report.nixos.as_deref().unwrap_or(&report.remedy)));
        let merged = Self::new(check, outcome, seen.join("; "), remedy);
        if nixos == merged.remedy { merged } else { merged.on_nixos(nixos) }
    }

    /// Whether it fails the check.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.outcome == Outcome::Fail
    }

    /// The same report as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { outcome: Outcome::Warn, ..self }
    }

    /// The same report with another remedy for NixOS.
    #[must_use]
    pub fn on_nixos(self, remedy: impl Into<String>) -> Self {
        Self { nixos: Some(remedy.into()), ..self }
    }

    /// The same report on a host whose files NixOS's configuration makes: the remedy for NixOS replaces the other.
    #[must_use]
    pub fn declared(self) -> Self {
        match self.nixos {
            Some(remedy) => Self { remedy, nixos: None, ..self },
            None => self,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remedy.as_str() {
            "" => f.write_str(&self.seen),
            remedy => write!(f, "{}: {remedy}", self.seen),
        }
    }
}

/// Remedies, a line each: one may end with a shell's comment.
fn once_each<'a>(remedies: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for remedy in remedies {
        if !remedy.is_empty() && !all.contains(&remedy) {
            all.push(remedy);
        }
    }
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_problems_are_one_report_with_the_worst_first_and_each_remedy_once() {
        let problems = vec![
            Report::warn("check", "a", "x"),
            Report::fail("check", "b", "y"),
            Report::warn("check", "c", "x"),
            Report::warn("check", "d", ""),
            Report::warn("check", "e", "z"),
        ];
        let report = Report::merge("check", problems, "good");
        assert_eq!((report.outcome, report.seen.as_str()), (Outcome::Fail, "b; a; c; d; 1 more"));
        assert_eq!(report.remedy, "y\nx");
        assert_eq!(Report::merge("check", vec![Report::warn("check", "a", "")], "good").outcome, Outcome::Warn);
        assert_eq!(Report::merge("check", Vec::new(), "good"), Report::pass("check", "good"));
    }

    #[test]
    fn the_remedy_is_another_where_nixos_makes_the_files() {
        let problems = vec![Report::fail("check", "a", "edit").on_nixos("set x"), Report::warn("check", "b", "start")];
        let report = Report::merge("check", problems, "good");
        assert_eq!(report.remedy, "edit\nstart");
        assert_eq!(report.declared().remedy, "set x\nstart");
        assert_eq!(Report::warn("check", "a", "start").declared().remedy, "start");
        assert_eq!(Report::warn("check", "a", "edit").on_nixos("set x").declared().remedy, "set x");
    }

    #[test]
    fn an_unknown_state_never_passes_and_json_has_four_keys() {
        assert_eq!(Report::unknown("check", "no answer", "").outcome, Outcome::Warn);
        let json = serde_json::to_value(Report::fail("check", "it is so", "mend it")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"check": "check", "outcome": "fail", "seen": "it is so", "remedy": "mend it"})
        );
    }
}
