//! `engine-runtime`: the engine has the OCI runtime, and its version has no known hole.

use crate::{
    doctor::{Check, Group, Host, Problem, Report},
    protocol::varlink::EngineInfo,
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "engine-runtime",
    group: Group::Engine,
    passes_if: "the engine has the OCI runtime, and runc's version has no known hole",
    problems: &[ABSENT, HOLE],
    needs_root: false,
    run,
};
const ABSENT: Problem = Problem::fail(
    "the engine does not have the runtime that `security.runtime` names",
    "change security.runtime in /etc/podspawn/config.yaml, or add it to {engine-settings}",
)
.on_nixos("change services.podspawn.settings.security.runtime, or add it to {engine-nixos-settings}.runtimes");
const HOLE: Problem = Problem::warn(
    "runc's version lets containers out",
    "upgrade runc (or containerd.io) to 1.2.8, 1.3.3 or later, or check that the changelog of its package names these",
);

/// A version of runc.
type Version = (u32, u32, u32);

/// Holes in runc: the first version of each branch in which they are closed; branches below have none.
const HOLES: [(&str, &[Version]); 2] =
    [("CVE-2024-21626", &[(1, 1, 12)]), ("CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", &[(1, 2, 8), (1, 3, 3)])];

fn run(host: &Host) -> Report {
    match super::described(host, &CHECK) {
        Ok(engine) => check(engine, host.settings.config.security.runtime.as_deref()),
        Err(report) => report,
    }
}

/// `configured` is `security.runtime`.
fn check(engine: &EngineInfo, configured: Option<&str>) -> Report {
    let runtime = configured.unwrap_or(&engine.default_runtime);
    // A shim's name, such as io.containerd.runsc.v1, need not be listed.
    if !runtime.contains('.') && !engine.runtimes.iter().any(|known| known == runtime) {
        let known = engine.runtimes.join(", ");
        let seen = format!("the engine has no runtime {runtime}, which security.runtime names; it has {known}");
        return CHECK.report(&ABSENT, seen, &[]);
    }
    let Some(shown) = engine.components.get("runc").filter(|_| runtime.contains("runc")) else {
        return CHECK.pass(format!("containers are run by {runtime}"));
    };
    let Some(version) = version(shown) else {
        return CHECK.unknown(format!("the engine names {shown:?} as runc's version"), "runc --version");
    };
    let open: Vec<&str> = HOLES.iter().filter(|(_, closed)| is_open(version, closed)).map(|(name, _)| *name).collect();
    if open.is_empty() {
        return CHECK.pass(format!("runc {shown} has no known hole"));
    }
    let open = open.join(", ");
    let seen = format!("runc {shown} lets containers out by {open}, unless the distribution has closed that in it");
    CHECK.report(&HOLE, seen, &[])
}

/// Whether containers are in a sandbox that has a file system of its own.
pub(crate) fn is_sandboxed(runtime: &str) -> bool {
    ["runsc", "gvisor", "kata"].iter().any(|name| runtime.contains(name))
}

/// Distributions append their own: `1.1.5+ds1`, `1.1.12-0ubuntu3`, `1.3.0~rc1`.
fn version(text: &str) -> Option<Version> {
    let numbers = text.trim_start_matches('v').split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut numbers = numbers.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)))
}

fn is_open(version: Version, closed: &[Version]) -> bool {
    let branch = closed.iter().find(|fixed| (fixed.0, fixed.1) == (version.0, version.1));
    let newest = closed.last().copied().unwrap_or_default();
    branch.map_or(version < newest, |fixed| version < *fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use std::collections::BTreeMap;

    fn engine(runc: &str) -> EngineInfo {
        EngineInfo {
            runtimes: vec!["runc".into()],
            default_runtime: "runc".into(),
            components: BTreeMap::from([("runc".to_owned(), runc.to_owned())]),
            ..EngineInfo::default()
        }
    }

    #[test]
    fn each_hole_is_closed_from_a_version_on_in_each_branch() {
        for (runc, holes) in [
            ("1.0.3", 2),
            ("1.1.5+ds1", 2),
            ("1.1.12-0ubuntu3", 1),
            ("1.1.15+ds1", 1),
            ("1.2.7", 1),
            ("v1.2.8", 0),
            ("1.3.2", 1),
            ("1.3.3", 0),
            ("1.4.0", 0),
        ] {
            let found = HOLES.iter().filter(|(_, closed)| is_open(version(runc).unwrap(), closed)).count();
            assert_eq!(found, holes, "{runc}");
            let report = check(&engine(runc), None);
            assert_eq!(report.outcome == Outcome::Warn, holes > 0, "{runc}: {report:?}");
            assert!(holes == 0 || report.seen.contains("unless the distribution"), "{report:?}");
        }
        assert!(check(&engine("unknown"), None).seen.starts_with("unknown: "));
    }

    #[test]
    fn a_runtime_that_the_engine_does_not_have_is_a_failure() {
        let missing = check(&engine("1.3.3"), Some("runsc"));
        assert!(missing.outcome == Outcome::Fail && missing.seen.contains("no runtime runsc"), "{missing:?}");
        assert_eq!(check(&engine("1.1.0"), Some("io.containerd.runsc.v1")).outcome, Outcome::Pass);
        assert!(is_sandboxed("io.containerd.runsc.v1") && !is_sandboxed("runc"));
    }
}
