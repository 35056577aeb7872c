//! `audit-log`: the broker writes `log.audit_log`, if there is one.

use super::{
    Check, Group, Host, Report,
    log_file::{UNWRITTEN, written},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "audit-log",
    group: Group::Logs,
    passes_if: "the broker writes `log.audit_log`, if there is one",
    problems: &[UNWRITTEN],
    needs_root: false,
    run,
};

fn run(host: &Host) -> Report {
    let path = host.settings.config.log.audit_log.as_ref();
    let without = "logins and commands are recorded in the journal only";
    written(&CHECK, path, host.broker().ok(), |reply| reply.audit_error.as_deref(), without)
}
