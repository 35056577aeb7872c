//! `memory`: all containers that users can start fit into memory.

use super::{Check, Group, Host, Problem, Report};
use crate::domain::size::rounded;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "memory",
    group: Group::Resources,
    passes_if: "all containers that users can start fit into memory",
    problems: &[TOO_MANY],
    needs_root: true,
    run,
};
const TOO_MANY: Problem = Problem::warn(
    "they do not, if each takes its limit",
    "lower resources.max_containers or defaults.memory in /etc/podspawn/config.yaml, or add memory",
)
.on_nixos("lower services.podspawn.settings.resources.max_containers or .defaults.memory, or add memory");

fn run(host: &Host) -> Report {
    let about = rustix::system::sysinfo();
    // A kernel's long on every machine that podspawn is for.
    #[allow(clippy::useless_conversion)]
    let total = u64::from(about.totalram).saturating_mul(about.mem_unit.into());
    let users = u64::try_from(host.users().len()).unwrap_or(u64::MAX);
    let config = &host.settings.config;
    let (each, most) = (config.resources.max_per_user.into(), config.resources.max_containers.into());
    plan(total, users, each, most, config.defaults.memory.as_bytes())
}

/// Compares what users can start with `total`; containers have no swap.
fn plan(total: u64, users: u64, each: u64, most: u64, memory: u64) -> Report {
    let containers = users.saturating_mul(each).min(most);
    let needed = containers.saturating_mul(memory);
    let seen = format!(
        "{containers} containers ({users} users with {each} each, at most {most}) of {} may take {}, and there are {}",
        rounded(memory),
        rounded(needed),
        rounded(total)
    );
    if needed > total { CHECK.report(&TOO_MANY, seen, &[]) } else { CHECK.pass(seen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn more_containers_than_fit_into_memory_are_a_warning() {
        const GIB: u64 = 1 << 30;
        assert_eq!(plan(8 * GIB, 2, 2, 50, 2 * GIB).outcome, Outcome::Pass);
        let much = plan(64 * GIB, 30, 3, 50, 2 * GIB);
        assert!(much.outcome == Outcome::Warn && much.seen.contains("100.0 GiB"), "{much:?}");
        assert_eq!(plan(GIB, 0, 3, 50, 2 * GIB).outcome, Outcome::Pass);
    }
}
