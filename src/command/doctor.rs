//! `podspawn doctor`: a line for every check of this host, with its remedy.

use super::{
    prove::{self, Interrupt},
    require_root,
    table::colour,
};
use crate::{
    doctor::{Host, Outcome, Report, examine},
    domain::text::{self, one_line},
};
use anyhow::Context as _;
use serde_json::json;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn doctor\n  podspawn doctor --prove\n  podspawn doctor --json | jq -r '.checks[] | select(.outcome != \"pass\") | .check'\n\n\
                  Each line is pass, warn or fail, the check, the state that was seen, and the remedy. Nothing is changed. \
                  A check that could not look is a warning that begins with unknown. The exit code is 1 if a check failed.\n\n\
                  --prove makes a test account, podspawn-prove-XXXXXXXX, logs in with it through sshd, tries what \
                  users do, and removes the account with everything that it made: at the end, after a failure, and on a signal.\n\n\
                  JSON has the keys version (1), passed, warned and failed (numbers), and checks: a list of objects with check, outcome, \
                  seen and remedy. Names of checks and outcomes do not change between versions; the texts of seen and remedy do."
)]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Also log in, with a test account that is removed afterwards
    #[arg(long)]
    prove: bool,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let interrupt = if options.prove {
        require_root("doctor --prove")?;
        Some(Interrupt::new().context("watching for signals")?)
    } else {
        None
    };
    let mut reports = examine(Host::look().context("finding podspawn's own path")?);
    match &interrupt {
        Some(interrupt) => reports.extend(prove::run(interrupt)),
        None => reports.extend(prove::left()),
    }
    let text = if options.json { as_json(&reports)? } else { as_text(&reports, colour()) };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(exit_code(&reports))
}

/// 1 if a check failed.
pub(super) fn exit_code(reports: &[Report]) -> ExitCode {
    if count(reports, Outcome::Fail) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn count(reports: &[Report], outcome: Outcome) -> usize {
    reports.iter().filter(|report| report.outcome == outcome).count()
}

/// The reports, and how many there are of each outcome; the keys are stable.
pub(super) fn as_json(reports: &[Report]) -> anyhow::Result<String> {
    let report = json!({
        "version": 1,
        "passed": count(reports, Outcome::Pass),
        "warned": count(reports, Outcome::Warn),
        "failed": count(reports, Outcome::Fail),
        "checks": reports,
    });
    Ok(text::json(&serde_json::to_string_pretty(&report).context("writing JSON")?) + "\n")
}

/// A line for each report, and its remedies below it.
pub(super) fn as_text(reports: &[Report], colour: bool) -> String {
    let width = reports.iter().map(|report| report.check.len()).max().unwrap_or(0);
    // `one_line`: names and messages may come from users, and must not move the cursor.
    let mut text = String::new();
    for Report { check, outcome, seen, remedy, .. } in reports {
        let (on, off) = match (colour, outcome) {
            (false, _) => ("", ""),
            (true, Outcome::Pass) => ("\x1b[32m", "\x1b[0m"),
            (true, Outcome::Warn) => ("\x1b[33m", "\x1b[0m"),
            (true, Outcome::Fail) => ("\x1b[31m", "\x1b[0m"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{on}{}{off}  {check:width$}  {}", outcome.as_str(), one_line(seen));
        for remedy in remedy.lines() {
            let _ = writeln!(text, "      {:width$}  -> {}", "", one_line(remedy));
        }
    }
    let _ = writeln!(
        text,
        "{} passed, {} warnings, {} failed",
        count(reports, Outcome::Pass),
        count(reports, Outcome::Warn),
        count(reports, Outcome::Fail)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports() -> Vec<Report> {
        vec![
            Report::pass("clock", "right"),
            Report::warn("images", "a:1 is\x1b[2J missing", "docker pull a:1"),
            Report::fail("broker", "it is away", "start it\nlook again"),
        ]
    }

    #[test]
    fn each_check_is_one_line_with_its_remedy_below_it() {
        assert_eq!(
            as_text(&reports(), false),
            "pass  clock   right\n\
             warn  images  a:1 is\u{fffd}[2J missing\n              -> docker pull a:1\n\
             fail  broker  it is away\n              -> start it\n              -> look again\n\
             1 passed, 1 warnings, 1 failed\n"
        );
        assert!(as_text(&reports(), true).starts_with("\x1b[32mpass\x1b[0m  clock   right\n"));
    }

    #[test]
    fn json_has_the_same_reports() {
        let json: serde_json::Value = serde_json::from_str(&as_json(&reports()).unwrap()).unwrap();
        assert_eq!((&json["version"], &json["failed"], &json["warned"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(
            json["checks"][2],
            json!({"check": "broker", "outcome": "fail", "seen": "it is away", "remedy": "start it\nlook again"})
        );
    }
}
