//! Checks of the host: what keeps podspawn from working, each with what to do about it.
//!
//! A check changes nothing and prints nothing. Its file has its name: `sshd-config` is in `sshd/config.rs`,
//! `kernel-limits` in `kernel_limits.rs`, and a small family such as `backup-timer` and `backup-last` in `backup.rs`.
//! A new check is one such file and a row of [`CHECKS`].

mod account_shells;
mod accounts;
mod accounts_confined;
pub mod accounts_open;
mod audit_log;
mod backup;
mod broker;
mod broker_socket;
mod broker_version;
mod check;
mod cleanup;
mod clock;
mod config;
mod directories;
mod disk;
mod engine;
mod guest_channel;
mod homes;
mod host;
pub mod image;
mod images;
mod immutable;
mod inodes;
mod journal;
mod kernel_limits;
mod key_files;
mod key_lookup;
pub mod layout;
mod lock_directory;
mod log_file;
mod logrotate;
mod memory;
mod metrics;
mod network_pool;
mod orphans;
mod page;
mod report;
mod runner;
pub mod sshd;
mod state_db;
mod units;
mod user_ids;
pub mod ways_in;

pub use check::{Check, Group, Problem, Values};
pub use host::Host;
pub use page::reference;
pub use report::{Outcome, Report};
pub use runner::examine;

/// Every check, in the order in which they are printed: a login meets the first ones first.
pub const CHECKS: &[&Check] = &[
    &sshd::version::CHECK,
    &sshd::config::CHECK,
    &sshd::users::CHECK,
    &sshd::startups::CHECK,
    &sshd::running::CHECK,
    &sshd::reload::CHECK,
    &sshd::binary::CHECK,
    &key_lookup::CHECK,
    &key_files::CHECK,
    &accounts::CHECK,
    &accounts_open::CHECK,
    &account_shells::CHECK,
    &accounts_confined::CHECK,
    &engine::access::CHECK,
    &directories::CHECK,
    &config::CHECK,
    &broker_socket::CHECK,
    &units::CHECK,
    &broker::CHECK,
    &broker_version::CHECK,
    &engine::CHECK,
    &engine::isolation::CHECK,
    &engine::runtime::CHECK,
    &engine::limits::CHECK,
    &guest_channel::CHECK,
    &user_ids::CHECK,
    &images::CHECK,
    &orphans::CHECK,
    &network_pool::CHECK,
    &disk::CHECK,
    &inodes::CHECK,
    &memory::CHECK,
    &kernel_limits::CHECK,
    &state_db::CHECK,
    &homes::CHECK,
    &lock_directory::CHECK,
    &log_file::CHECK,
    &audit_log::CHECK,
    &journal::CHECK,
    &logrotate::CHECK,
    &cleanup::TIMER,
    &cleanup::LAST,
    &backup::TIMER,
    &backup::LAST,
    &metrics::CHECK,
    &ways_in::CHECK,
    &clock::CHECK,
    &immutable::CHECK,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    #[test]
    fn every_check_has_a_name_of_its_own_and_stands_with_its_group() {
        let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
        let mut groups: Vec<&str> = CHECKS.iter().map(|check| check.group.title()).collect();
        groups.dedup();
        assert_eq!(groups.len(), groups.iter().collect::<BTreeSet<_>>().len(), "{groups:?}");
        assert!(CHECKS.iter().all(|check| !check.problems.is_empty()));
    }

    #[test]
    fn the_file_of_a_check_has_its_name_or_that_of_its_family() {
        // Read when it is run, so that the tests can be built where only the sources are.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor");
        for check in CHECKS {
            let (family, rest) = check.name.split_once('-').unwrap_or((check.name, ""));
            let names = [check.name.replace('-', "_"), format!("{family}/{rest}"), family.to_owned()];
            let files: Vec<PathBuf> = names.iter().map(|name| directory.join(format!("{name}.rs"))).collect();
            let row = format!("name: \"{}\"", check.name);
            let is_there = files.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&row)));
            assert!(is_there, "{} should be in one of {files:?}", check.name);
        }
    }
}
