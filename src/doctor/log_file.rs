//! `log-file`: the broker writes `log.file`, if there is one.

use super::{Check, Group, Host, Problem, Report};
use crate::{config::AbsolutePath, protocol::varlink::DiagnoseReply};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "log-file",
    group: Group::Logs,
    passes_if: "the broker writes `log.file`, if there is one",
    problems: &[UNWRITTEN],
    needs_root: false,
    run,
};
/// On NixOS, the module lets the broker write wherever its settings say.
pub(super) const UNWRITTEN: Problem = Problem::fail(
    "the broker cannot write it",
    "make podspawn the owner of {file} and of its directory, and free space there; outside of /var/log/podspawn \
     also: `systemctl edit podspawn-broker`, [Service] ReadWritePaths={directory}",
)
.on_nixos("make podspawn the owner of {file} and of its directory, and free space there");

fn run(host: &Host) -> Report {
    let path = host.settings.config.log.file.as_ref();
    written(&CHECK, path, host.broker().ok(), |reply| reply.log_error.as_deref(), "the journal has everything")
}

/// The report of `check` about the log at `path`; `without` is what an administrator should know where there is none.
pub(super) fn written(
    check: &Check,
    path: Option<&AbsolutePath>,
    broker: Option<&DiagnoseReply>,
    error: impl Fn(&DiagnoseReply) -> Option<&str>,
    without: &str,
) -> Report {
    let Some(path) = path.map(AbsolutePath::as_path) else {
        return check.pass(format!("none is configured: {without}"));
    };
    let shown = path.display();
    let Some(reply) = broker else {
        return check.unknown(format!("the broker does not say whether it writes {shown}"), "see broker");
    };
    let Some(why) = error(reply) else { return check.pass(format!("the broker writes {shown}")) };
    let directory = path.parent().unwrap_or(path).display();
    check.report(&UNWRITTEN, why, &[("file", &shown), ("directory", &directory)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, doctor::Outcome};

    #[test]
    fn a_log_that_cannot_be_written_is_a_failure_and_without_the_broker_unknown() {
        let config = Config::parse("log: {file: /l/p.log}").unwrap();
        let of = |reply: Option<&DiagnoseReply>| {
            written(&CHECK, config.log.file.as_ref(), reply, |reply| reply.log_error.as_deref(), "")
        };
        let reply = DiagnoseReply::default();
        assert_eq!(of(Some(&reply)).outcome, Outcome::Pass);
        let failing = of(Some(&DiagnoseReply { log_error: Some("it is a directory".into()), ..reply }));
        assert!(failing.outcome == Outcome::Fail && failing.remedy.ends_with("ReadWritePaths=/l"), "{failing:?}");
        assert!(of(None).seen.starts_with("unknown"));
        assert_eq!(written(&CHECK, None, None, |_| None, "x").outcome, Outcome::Pass);
    }
}
