//! `network-pool`: `network.pool` has subnets left, and no route of the host goes into it.

use super::{Check, Group, Host, Problem, Report, engine::diagnosis};
use crate::protocol::varlink::DiagnoseReply;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "network-pool",
    group: Group::Engine,
    passes_if: "`network.pool` has subnets left, and no route of the host goes into it",
    problems: &[UNUSABLE, EMPTY, SMALL],
    needs_root: false,
    run,
};
const UNUSABLE: Problem =
    Problem::fail("the pool cannot be used", "choose another network.pool in /etc/podspawn/config.yaml")
        .on_nixos("choose another services.podspawn.settings.network.pool");
const EMPTY: Problem = Problem::fail("no subnet is left", ENLARGE).on_nixos(DECLARED);
const SMALL: Problem =
    Problem::warn("the pool has fewer subnets than `resources.max_containers`", ENLARGE).on_nixos(DECLARED);
const ENLARGE: &str = "enlarge network.pool, or network.prefix, in /etc/podspawn/config.yaml";
const DECLARED: &str = "enlarge network.pool, or network.prefix, of services.podspawn.settings";

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => pool(reply, host.settings.config.resources.max_containers),
        Err(report) => report,
    }
}

fn pool(reply: &DiagnoseReply, most: u32) -> Report {
    let Some(pool) = &reply.pool else {
        return CHECK.report(&UNUSABLE, reply.pool_error.as_deref().unwrap_or("there is no pool"), &[]);
    };
    let usable = pool.subnets.saturating_sub(pool.routed);
    let seen = format!("{} of {} subnets of {} are free", usable.saturating_sub(pool.used), pool.subnets, pool.network);
    if pool.used >= usable {
        CHECK.report(&EMPTY, seen, &[])
    } else if usable < most {
        let routed =
            if pool.routed > 0 { format!(", {} lie behind routes of this host", pool.routed) } else { String::new() };
        CHECK.report(&SMALL, format!("{seen}{routed}, and resources.max_containers is {most}"), &[])
    } else {
        CHECK.pass(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::varlink::PoolUse};

    #[test]
    fn a_pool_that_is_empty_or_smaller_than_the_number_of_sessions_is_reported() {
        let of = |subnets, routed, used| {
            let info = PoolUse { network: "10.209.0.0/24".parse().unwrap(), subnets, routed, used };
            pool(&DiagnoseReply { pool: Some(info), ..DiagnoseReply::default() }, 50)
        };
        assert_eq!(of(4096, 16, 3).seen, "4077 of 4096 subnets of 10.209.0.0/24 are free");
        assert_eq!(
            (of(4096, 16, 3).outcome, of(16, 0, 1).outcome, of(16, 0, 16).outcome),
            (Outcome::Pass, Outcome::Warn, Outcome::Fail)
        );
        assert!(of(64, 20, 0).seen.contains("20 lie behind routes"));
        let none = DiagnoseReply { pool_error: Some("it overlaps".into()), ..DiagnoseReply::default() };
        assert_eq!((pool(&none, 50).outcome, pool(&none, 50).seen.as_str()), (Outcome::Fail, "it overlaps"));
    }
}
