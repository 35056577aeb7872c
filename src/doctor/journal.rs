//! `journal`: the journal outlives a boot.

use super::{Check, Group, Host, Problem, Report, host::SYSTEMD};
use crate::sys::program;
use std::path::Path;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "journal",
    group: Group::Logs,
    passes_if: "the journal outlives a boot",
    problems: &[NO_DIRECTORY, VOLATILE],
    needs_root: false,
    run,
};
const NO_DIRECTORY: Problem = Problem::warn(
    "there is no `/var/log/journal`",
    "`install -d /var/log/journal && systemctl restart systemd-journald && journalctl --flush`",
)
.on_nixos(DECLARED);
const VOLATILE: Problem = Problem::warn(
    "journald's `Storage=` is `volatile` or `none`",
    "set Storage=persistent in /etc/systemd/journald.conf, and `systemctl restart systemd-journald`",
)
.on_nixos(DECLARED);
const DECLARED: &str = "set services.journald.storage = \"persistent\" and rebuild";

fn run(_: &Host) -> Report {
    const BY_HAND: &str = "systemd-analyze cat-config systemd/journald.conf";
    let analyze = program::find("systemd-analyze");
    let done = analyze.map(|path| program::run(&path, &["cat-config", "systemd/journald.conf"], b"", SYSTEMD));
    match done {
        Some(Ok(done)) if done.succeeded() => kept(&storage(&done.out), Path::new("/var/log/journal").is_dir()),
        Some(Ok(done)) => CHECK.unknown(done.complaint(), BY_HAND),
        Some(Err(error)) => CHECK.unknown(error, BY_HAND),
        None => CHECK.unknown("there is no systemd-analyze to ask", ""),
    }
}

/// The last value of `Storage=`.
fn storage(config: &str) -> String {
    let values = config.lines().filter_map(|line| line.trim().strip_prefix("Storage="));
    values.map(str::trim).next_back().filter(|value| !value.is_empty()).unwrap_or("auto").to_owned()
}

fn kept(storage: &str, has_directory: bool) -> Report {
    match (storage, has_directory) {
        ("persistent", _) | ("auto", true) => CHECK.pass("the journal outlives a boot"),
        ("auto", false) => {
            CHECK.report(&NO_DIRECTORY, "the journal is lost at every boot: there is no /var/log/journal", &[])
        }
        (other, _) => {
            let seen = format!("the journal is lost at every boot: journald has Storage={other}");
            CHECK.report(&VOLATILE, seen, &[])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_journal_that_is_lost_at_every_boot_is_a_warning() {
        let config = "# a\n[Journal]\n#Storage=none\nStorage=volatile\n# b\n[Journal]\nStorage=persistent\n";
        assert_eq!(storage(config), "persistent");
        assert_eq!(storage("[Journal]\n#Storage=auto\n"), "auto");
        let outcomes = [("persistent", false), ("auto", true), ("auto", false), ("volatile", true), ("none", true)];
        let outcomes = outcomes.map(|(storage, directory)| kept(storage, directory).outcome);
        assert_eq!(outcomes, [Outcome::Pass, Outcome::Pass, Outcome::Warn, Outcome::Warn, Outcome::Warn]);
    }
}
