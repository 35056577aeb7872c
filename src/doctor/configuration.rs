//! The files under `/etc/podspawn`, and which configuration is in force.

use super::{Finding, Host, Report};

const CHECK: &str = "config";
const REMEDY: &str = "podspawn check-config";

/// `config`.
pub(super) fn look(host: &Host) -> Vec<Report> {
    let mistakes: Vec<String> = host.mistakes.iter().map(ToString::to_string).collect();
    vec![judge(&mistakes, host.broker().ok().map(|reply| reply.problems.as_slice()))]
}

/// `problems` is what the broker finds wrong in the same files; `None` if it does not say.
fn judge(mistakes: &[String], problems: Option<&[String]>) -> Report {
    let mut findings: Vec<Finding> = mistakes.iter().map(|what| Finding::broken(what.as_str(), REMEDY)).collect();
    match problems {
        // What it cannot read, root can.
        Some(problems) if mistakes.is_empty() => findings.extend(problems.iter().map(|what| {
            Finding::broken(
                format!("the broker finds {what}"),
                "chmod 0644 the file, if podspawn check-config is content",
            )
        })),
        _ => {}
    }
    if findings.is_empty() {
        return match problems {
            Some(_) => Report::pass(CHECK, "the files are valid, and the broker goes by them"),
            None => Report::unknown(
                CHECK,
                "the files are valid, but the broker does not say that it goes by them",
                "see broker",
            ),
        };
    }
    let mut report = Report::of(CHECK, findings, "");
    report.seen.push_str(match problems {
        Some(problems) if !problems.is_empty() => "; the broker goes on with the last good configuration",
        _ => "; without a good configuration the broker lets nobody in",
    });
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_mistake_is_told_with_its_place_and_with_what_is_in_force() {
        let mistake = ["/etc/podspawn/config.yaml:3:5: no such key".to_owned()];
        let kept = judge(&mistake, Some(&mistake));
        assert!(kept.outcome == Outcome::Fail && kept.seen.starts_with(&mistake[0]), "{kept:?}");
        assert!(kept.seen.ends_with("last good configuration") && kept.remedy == REMEDY);
        assert!(judge(&mistake, None).seen.ends_with("lets nobody in"));
        assert_eq!(judge(&[], Some(&[])).outcome, Outcome::Pass);
        assert!(judge(&[], None).seen.starts_with("unknown"));
        let unreadable = judge(&[], Some(&["config.yaml: Permission denied".to_owned()]));
        assert!(unreadable.outcome == Outcome::Fail && unreadable.remedy.contains("chmod"), "{unreadable:?}");
    }
}
