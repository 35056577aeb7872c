//! `homes`: the broker can write to `homes_dir`.

use super::{Check, Group, Host, Problem, Report, engine::diagnosis};
use std::path::Path;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "homes",
    group: Group::State,
    passes_if: "the broker can write to `homes_dir`",
    problems: &[UNWRITABLE],
    needs_root: false,
    run,
};
/// On NixOS, the module lets the broker write wherever its settings say.
const UNWRITABLE: Problem = Problem::fail(
    "it cannot",
    "`install -d -m 0700 -o podspawn -g podspawn {homes}`; outside of /var/lib/podspawn also: \
     `systemctl edit podspawn-broker`, [Service] ReadWritePaths={homes}",
)
.on_nixos("`install -d -m 0700 -o podspawn -g podspawn {homes}`");

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => judge(host.settings.config.state.homes_dir.as_path(), reply.homes_error.as_deref()),
        Err(report) => report,
    }
}

fn judge(homes: &Path, error: Option<&str>) -> Report {
    let shown = homes.display();
    match error {
        None => CHECK.pass(format!("the broker can make homes in {shown}")),
        Some(why) => CHECK.report(&UNWRITABLE, format!("the broker cannot write to {why}"), &[("homes", &shown)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn homes_that_cannot_be_written_are_a_failure() {
        let homes = Path::new("/srv/homes");
        assert_eq!(judge(homes, None).outcome, Outcome::Pass);
        let bad = judge(homes, Some("/srv/homes: Read-only file system"));
        assert!(bad.outcome == Outcome::Fail && bad.remedy.contains("ReadWritePaths=/srv/homes"), "{bad:?}");
    }
}
