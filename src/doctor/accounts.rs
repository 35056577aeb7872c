//! `accounts`: podspawn's groups and service accounts exist.

use super::{Check, Group, Host, Problem, Report};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "accounts",
    group: Group::Accounts,
    passes_if: "podspawn's groups and service accounts exist",
    problems: &[MISSING],
    needs_root: true,
    run,
};
/// On NixOS, accounts are made by the activation of a generation.
const MISSING: Problem = Problem::fail(
    "a group or a service account does not exist",
    "`systemd-sysusers podspawn.conf && systemd-tmpfiles --create podspawn.conf`",
)
.on_nixos("`nixos-rebuild switch`");

fn run(host: &Host) -> Report {
    match host.missing() {
        Ok(missing) => accounts(missing),
        Err(why) => CHECK.unknown(why, "sudo podspawn doctor"),
    }
}

fn accounts(missing: &[String]) -> Report {
    let missing = missing.iter().filter(|line| !line.starts_with("directory "));
    let problems = missing.map(|what| CHECK.report(&MISSING, format!("there is no {what}"), &[])).collect();
    CHECK.merge(problems, "podspawn's groups and service accounts are there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_missing_group_is_named_and_a_missing_directory_is_for_another_check() {
        let missing = ["group podspawn-admin", "directory /x, a:b with mode 0700"].map(str::to_owned);
        assert_eq!(accounts(&missing).seen, "there is no group podspawn-admin");
        assert_eq!(accounts(&missing[1..]).outcome, Outcome::Pass);
    }
}
