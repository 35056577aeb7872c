//! `sshd-startups`: sshd drops none of the logins that can begin at once.

use super::REFUSES;
use crate::doctor::{Check, Group, Host, Problem, Report};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-startups",
    group: Group::Sshd,
    passes_if: "`MaxStartups` allows one login at once for each user, up to `resources.max_containers`",
    problems: &[TOO_FEW],
    needs_root: true,
    run,
};
const TOO_FEW: Problem =
    Problem::warn("`MaxStartups` is smaller than that", "set in sshd_config, before any Match: MaxStartups {startups}")
        .on_nixos("set services.openssh.settings.MaxStartups = \"{startups}\"");

fn run(host: &Host) -> Report {
    let options = match (host.sshd_for_a_user(), host.accounts()) {
        (Ok(options), Ok(_)) => options,
        (Err(_), _) => return CHECK.unknown(REFUSES, "sshd -t"),
        (_, Err(why)) => return CHECK.unknown(why, ""),
    };
    let users = u32::try_from(host.users().len()).unwrap_or(u32::MAX);
    startups(options.value("maxstartups"), users.min(host.settings.config.resources.max_containers))
}

/// `value` is that of `MaxStartups`; `most` logins can begin at once.
fn startups(value: &str, most: u32) -> Report {
    let Some(begin) = value.split(':').next().and_then(|number| number.parse::<u32>().ok()) else {
        return CHECK.unknown(format!("sshd has MaxStartups {value:?}"), "sshd -T | grep -i maxstartups");
    };
    if begin >= most {
        return CHECK.pass(format!("MaxStartups {value} is enough for {most} logins at once"));
    }
    let enough = format!("{most}:30:{}", most.saturating_mul(2));
    let seen =
        format!("sshd drops some of more than {begin} logins at once (MaxStartups {value}), and {most} can begin");
    CHECK.report(&TOO_FEW, seen, &[("startups", &enough)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn as_many_logins_at_once_as_there_are_users_should_not_be_dropped() {
        assert_eq!(startups("10:30:100", 10).outcome, Outcome::Pass);
        let few = startups("10:30:100", 37);
        assert!(few.outcome == Outcome::Warn && few.remedy.contains("MaxStartups 37:30:74"), "{few:?}");
        assert!(startups("", 1).seen.starts_with("unknown"));
    }
}
