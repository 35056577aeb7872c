//! `kernel-limits`: the limits of the kernel that the host and all containers share are as large as `systemd/sysctl.d`
//! makes them, and as the configuration needs them.

use super::{Check, Group, Host, Problem, Report};
use crate::engine::MAX_TERMINALS;
use std::{collections::BTreeMap, fs, path::Path};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "kernel-limits",
    group: Group::Resources,
    passes_if: "limits that all containers share (terminals, asynchronous I/O and others) are large enough",
    problems: &[SMALL],
    needs_root: false,
    run,
};
/// The file's name sorts behind that of the package, /usr/lib/sysctl.d/50-podspawn.conf.
const SMALL: Problem = Problem::warn(
    "one is smaller than the package sets it or the configuration needs it",
    "`echo '{key} = {least}' >>/etc/sysctl.d/90-podspawn.conf && sysctl --load=/etc/sysctl.d/90-podspawn.conf`",
)
.on_nixos("boot.kernel.sysctl.\"{key}\" = {least};");

/// The settings that the package brings.
const SYSCTL: &str = include_str!("../../systemd/sysctl.d/50-podspawn.conf");
/// Processes that the host has beside its containers.
const HOST_PROCESSES: u64 = 32_768;

fn run(host: &Host) -> Report {
    let config = &host.settings.config;
    let read = |key: &str| read(Path::new("/proc/sys"), key);
    let (containers, pids) = (config.resources.max_containers.into(), config.security.pids_limit.into());
    judge(&wanted(containers, pids, read("kernel.pty.reserve").unwrap_or_default()), read)
}

/// A setting as the kernel has it; `None` where it has none of that name.
fn read(root: &Path, key: &str) -> Option<u64> {
    fs::read_to_string(root.join(key.replace('.', "/"))).ok()?.trim().parse().ok()
}

/// The settings of the package.
fn shipped() -> BTreeMap<&'static str, u64> {
    let lines = SYSCTL.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .filter_map(|(key, value)| Some((key.trim(), value.trim().parse().ok()?)))
        .collect()
}

/// The least value of each setting.
fn wanted(containers: u64, pids: u64, reserve: u64) -> BTreeMap<&'static str, u64> {
    let mut wanted = shipped();
    let mut need = |key, value: u64| {
        let least = wanted.entry(key).or_default();
        *least = value.max(*least);
    };
    need("kernel.pty.max", containers.saturating_mul(MAX_TERMINALS.into()).saturating_add(reserve));
    need("kernel.threads-max", containers.saturating_mul(pids).saturating_add(HOST_PROCESSES));
    wanted
}

fn judge(wanted: &BTreeMap<&'static str, u64>, read: impl Fn(&str) -> Option<u64>) -> Report {
    let problems = wanted.iter().filter_map(|(key, least)| {
        let found = read(key).filter(|found| found < least)?;
        let seen =
            format!("{key} is {found}, which one container or a few can use up for all users; it should be {least}");
        Some(CHECK.report(&SMALL, seen, &[("key", key), ("least", least)]))
    });
    CHECK.merge(problems.collect(), "the limits that all containers share are large enough for them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn every_setting_of_the_package_is_looked_at_and_one_that_is_too_small_is_named_with_its_line() {
        let wanted = wanted(50, 256, 1024);
        assert!(shipped().len() >= 6 && shipped().keys().all(|key| wanted.contains_key(key)), "{wanted:?}");
        assert_eq!(judge(&wanted, |key| wanted.get(key).copied()).outcome, Outcome::Pass);
        assert_eq!(judge(&wanted, |_| None).outcome, Outcome::Pass, "a kernel without them");
        for key in wanted.keys() {
            let report = judge(&wanted, |other| if other == *key { Some(100) } else { wanted.get(other).copied() });
            assert_eq!(report.outcome, Outcome::Warn);
            assert!(report.seen.starts_with(&format!("{key} is 100")), "{report:?}");
            let line = format!("echo '{key} = {}' >>/etc/sysctl.d/90-podspawn.conf", wanted[key]);
            assert!(report.remedy.starts_with(&line), "{report:?}");
        }
    }

    #[test]
    fn more_containers_need_more() {
        assert_eq!(wanted(50, 256, 1024)["kernel.pty.max"], shipped()["kernel.pty.max"]);
        assert_eq!(wanted(1000, 256, 1024)["kernel.pty.max"], 257_024);
        assert_eq!(wanted(1000, 512, 1024)["kernel.threads-max"], 544_768);
    }

    #[test]
    fn a_setting_is_read_where_the_kernel_has_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("kernel/pty")).unwrap();
        fs::write(root.path().join("kernel/pty/max"), "4096\n").unwrap();
        assert_eq!((read(root.path(), "kernel.pty.max"), read(root.path(), "kernel.pid_max")), (Some(4096), None));
    }
}
