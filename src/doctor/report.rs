//! What a check has to say: one line.

use super::{Finding, Severity};
use crate::domain::{plain, text::is_plain};
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// It works, and somebody should know; or nobody could find out.
    Warn,
    /// Somebody does not get in, or gets more than they should.
    Fail,
}

impl Outcome {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The line of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The check's name, which stays the same from version to version.
    pub check: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub seen: String,
    /// What to do, with the command if there is one, a line for each thing; empty if there is nothing to do.
    pub remedy: String,
    /// What to do where NixOS's configuration makes the files that would be changed.
    #[serde(skip)]
    nixos: Option<String>,
}

/// Most findings that one line tells.
const MAX_TOLD: usize = 4;

impl Report {
    /// As it should be.
    #[must_use]
    pub fn pass(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Pass, seen: plain(seen.into()), remedy: String::new(), nixos: None }
    }

    /// It works, and somebody should know.
    #[must_use]
    pub fn warn(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warn, seen: plain(seen.into()), remedy: remedy.into(), nixos: None }
    }

    /// It does not work, or lets in more than it should.
    #[must_use]
    pub fn fail(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Fail, seen: plain(seen.into()), remedy: remedy.into(), nixos: None }
    }

    /// Nobody could look, so it is not known to be good.
    #[must_use]
    pub fn unknown(check: &'static str, why: impl std::fmt::Display, remedy: impl Into<String>) -> Self {
        Self::warn(check, format!("unknown: {why}"), remedy)
    }

    /// All of a check's findings as one, the worst first; `good` is what to say without any.
    #[must_use]
    pub fn of(check: &'static str, mut findings: Vec<Finding>, good: impl Into<String>) -> Self {
        findings.sort_by_key(|finding| finding.severity);
        let Some(worst) = findings.first().map(|finding| finding.severity) else { return Self::pass(check, good) };
        let told = findings.get(..MAX_TOLD).unwrap_or(&findings);
        let mut seen: Vec<&str> = told.iter().map(|finding| finding.what.as_str()).collect();
        let more = format!("{} more", findings.len().saturating_sub(MAX_TOLD));
        if findings.len() > MAX_TOLD {
            seen.push(&more);
        }
        let remedy = once_each(told.iter().map(|finding| finding.remedy.clone()));
        let nixos =
            once_each(told.iter().map(|finding| finding.nixos.clone().unwrap_or_else(|| finding.remedy.clone())));
        let nixos = (nixos != remedy).then_some(nixos);
        let outcome = if worst == Severity::Broken { Outcome::Fail } else { Outcome::Warn };
        Self { check, outcome, seen: plain(seen.join("; ")), remedy, nixos }
    }

    /// The same, with what to do on NixOS.
    #[must_use]
    pub fn on_nixos(self, remedy: impl Into<String>) -> Self {
        Self { nixos: Some(remedy.into()), ..self }
    }

    /// The same on a host whose files NixOS's configuration makes: its remedy is in the place of the other.
    #[must_use]
    pub fn declared(self) -> Self {
        match self.nixos {
            Some(remedy) => Self { remedy, nixos: None, ..self },
            None => self,
        }
    }
}

/// What there is to do, a line each: one may end with a shell's comment.
fn once_each(remedies: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for mut remedy in remedies {
        // Nobody's name makes a line of its own.
        remedy.retain(is_plain);
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
    fn several_findings_are_one_with_the_worst_first_and_each_remedy_once() {
        let findings = vec![
            Finding::notable("a", "x"),
            Finding::broken("b", "y"),
            Finding::notable("c", "x"),
            Finding::notable("d", ""),
            Finding::notable("e", "z"),
        ];
        let forged = Report::of("check", vec![Finding::broken("a", "rm x\ny")], "good");
        assert_eq!(forged.remedy, "rm xy");
        let report = Report::of("check", findings, "good");
        assert_eq!((report.outcome, report.seen.as_str()), (Outcome::Fail, "b; a; c; d; 1 more"));
        assert_eq!(report.remedy, "y\nx");
        assert_eq!(Report::of("check", vec![Finding::notable("a", "")], "good").outcome, Outcome::Warn);
        assert_eq!(Report::of("check", Vec::new(), "good"), Report::pass("check", "good"));
    }

    #[test]
    fn what_to_do_is_another_thing_where_nixos_makes_the_files() {
        let findings = vec![Finding::broken("a", "edit").on_nixos("set x"), Finding::notable("b", "start")];
        let report = Report::of("check", findings, "good");
        assert_eq!(report.remedy, "edit\nstart");
        assert_eq!(report.declared().remedy, "set x\nstart");
        assert_eq!(Report::warn("check", "a", "start").declared().remedy, "start");
        assert_eq!(Report::warn("check", "a", "edit").on_nixos("set x").declared().remedy, "set x");
    }

    #[test]
    fn what_nobody_could_look_at_never_passes() {
        assert_eq!(Report::unknown("check", "no answer", "").outcome, Outcome::Warn);
        let json = serde_json::to_value(Report::fail("check", "it is so", "mend it")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"check": "check", "outcome": "fail", "seen": "it is so", "remedy": "mend it"})
        );
    }
}
