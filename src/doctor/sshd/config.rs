//! `sshd-config`: sshd accepts its files, and gives podspawn's users the options of podspawn's block.

use super::session_program;
use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    sshd::{
        self, Effective,
        block::{self, Block},
        order::Reading,
        pattern,
    },
};
use std::path::Path;

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-config",
    group: Group::Sshd,
    passes_if: "sshd accepts its files, reads podspawn's block before other `Match` blocks, and uses the \
                options of that block for each of twelve users",
    problems: &[REJECTED, READ_BEFORE, OTHER_OPTIONS, UNREADABLE],
    needs_root: true,
    run,
};
const REJECTED: Problem = Problem::fail("sshd does not accept its configuration, and names the line", "`sshd -t`");
const READ_BEFORE: Problem =
    Problem::fail("sshd reads a block that sets the same options before podspawn's", "`podspawn server-setup`")
        .on_nixos("define it in services.openssh.extraConfig without lib.mkOrder: podspawn's block is first then");
const OTHER_OPTIONS: Problem = Problem::fail(
    "sshd has other options for a user than podspawn's block sets",
    "`podspawn server-setup`, and follow its advice; if it has none, another Match block decides: change that block",
)
.on_nixos(
    "set services.podspawn.enable and rebuild; if it is set, another Match block of services.openssh.extraConfig \
     decides: put it behind podspawn's with lib.mkOrder 2000",
);
const UNREADABLE: Problem = Problem::warn("sshd's files cannot be read", "`sshd -t`");

/// What `server-setup` says of the options that another block sets, and of variables that it adds.
const OVERRIDDEN: Problem = Problem::fail(
    "another block sets an option of podspawn's",
    "another Match block says so, and sshd takes the first value it finds: change that block",
);
const HARMFUL_VARIABLE: Problem = Problem::fail(
    "another block accepts a variable that changes how programs run",
    "another Match block adds it: change that block, or exclude group podspawn from it",
);

/// What a client may never set for a program of the host: how programs are loaded, and what a shell runs first.
const HARMFUL: [&str; 8] =
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "BASH_FUNC_x%%", "PATH"];
/// Most blocks of others that one line names.
const MAX_BLOCKS: usize = 4;

fn run(host: &Host) -> Report {
    let options = match host.sshd_for_a_user() {
        Ok(options) => options,
        Err(why) => {
            let mut report = CHECK.report(&REJECTED, format!("sshd says: {why}"), &[]);
            if let Some(hint) = sshd::hint(why) {
                hint.clone_into(&mut report.remedy);
            }
            return report;
        }
    };
    if let Err(why) = host.accounts() {
        return CHECK.unknown(why, "");
    }
    let more = host.sshd_for_more_users().iter().map(|(_, options)| options);
    let mut problems: Vec<Report> = Vec::new();
    for options in std::iter::once(options).chain(more) {
        let block = Block::new(session_program(options).unwrap_or_else(|| host.binary.clone()));
        if problems.is_empty() {
            match Reading::of(Path::new(sshd::CONFIG)) {
                Ok(reading) => problems.extend(read_before(&reading, &block)),
                Err(error) => problems.push(CHECK.report(&UNREADABLE, format!("reading sshd's files: {error}"), &[])),
            }
        }
        for found in forced(options, &block.text()) {
            let report = CHECK.report(&OTHER_OPTIONS, found.seen, &[]);
            if !problems.contains(&report) {
                problems.push(report);
            }
        }
    }
    // On NixOS a wrapper of the module runs for keys; key-lookup runs it.
    if host.is_declared {
        problems.retain(|report| !report.seen.contains("authorizedkeyscommand \""));
    }
    CHECK.merge(problems, "sshd has podspawn's command, and nothing else, for podspawn's users")
}

/// The blocks that are read before `block` and set what it sets. sshd takes the first value, so that for some user, or
/// from some address, theirs could be in force.
#[must_use]
pub fn read_before(reading: &Reading, block: &Block) -> Option<Report> {
    let before = reading.before(block);
    if before.is_empty() {
        return None;
    }
    let mut named: Vec<String> = before.iter().take(MAX_BLOCKS).map(ToString::to_string).collect();
    if before.len() > MAX_BLOCKS {
        named.push(format!("{} more", before.len() - MAX_BLOCKS));
    }
    let seen = format!("sshd reads before podspawn's block, and takes the first value: {}", named.join(", "));
    Some(CHECK.report(&READ_BEFORE, seen, &[]))
}

/// The differences between `options`, which are in force for a member of the group, and the block that was written, as
/// `server-setup` reports them.
#[must_use]
pub fn forced(options: &Effective, block: &str) -> Vec<Report> {
    let mut problems = Vec::new();
    for (name, wanted) in block::options(block) {
        let is_so = if name == "acceptenv" {
            // Those of the whole server are in force as well.
            wanted.split(' ').all(|word| options.words(&name).any(|found| found == word))
        } else {
            options.value(&name) == wanted
        };
        if !is_so {
            let found = options.value(&name);
            let seen = format!("for podspawn's users, sshd has {name} {found:?} and not {wanted:?}");
            problems.push(OVERRIDDEN.report(CHECK.name, seen, &[]));
        }
        if name == "acceptenv" {
            let added = options.words(&name).filter(|word| !wanted.split(' ').any(|own| own == *word));
            let harmful = added.filter(|word| HARMFUL.iter().any(|variable| pattern::matches(variable, word)));
            problems.extend(harmful.map(|word| {
                let seen =
                    format!("for podspawn's users, sshd has AcceptEnv {word}, and podspawn runs on the host with it");
                HARMFUL_VARIABLE.report(CHECK.name, seen, &[])
            }));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_another_block_accepts_is_a_failure_if_it_changes_how_programs_of_the_host_run() {
        let block = "Match Group podspawn\n    AcceptEnv LANG LC_*\n";
        let found = |more: &str| {
            let text = format!("acceptenv LANG\nacceptenv LC_*\nacceptenv {more}\n");
            forced(&Effective::parse_for_test(&text), block)
        };
        for harmless in ["GIT_*", "TZ", "LC_*"] {
            assert_eq!(found(harmless), [], "{harmless}");
        }
        for harmful in ["*", "LD_*", "LD_PRELOAD", "BASH_ENV", "E*"] {
            assert!(found(harmful).len() == 1 && found(harmful)[0].is_failure(), "{harmful}");
        }
    }

    #[test]
    fn another_value_than_that_of_the_block_is_a_failure() {
        let block = "Match Group podspawn\n    ForceCommand exec /usr/bin/podspawn spawn\n    AcceptEnv A B\n    PermitTTY yes\n";
        let good = "forcecommand exec /usr/bin/podspawn spawn\nacceptenv B\nacceptenv X\nacceptenv A\npermittty yes\n";
        assert_eq!(forced(&Effective::parse_for_test(good), block), []);
        for bad in [good.replace("/usr", ""), good.replace("acceptenv A\n", ""), good.replace("tty yes", "tty no")] {
            let found = forced(&Effective::parse_for_test(&bad), block);
            assert!(found.len() == 1 && found[0].is_failure(), "{bad}: {found:?}");
        }
        let ours = Block::new("/usr/bin/podspawn".into()).text();
        assert!(forced(&Effective::default(), &ours).len() > 15);
    }
}
