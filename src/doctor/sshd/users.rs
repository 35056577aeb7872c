//! `sshd-users`: sshd's lists and methods let podspawn's users log in with their keys.

use crate::{
    accounts::local::LocalAccounts,
    doctor::{Check, Group, Host, Problem, Report},
    domain::UserName,
    sshd::{Effective, block::GROUP, pattern},
};

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "sshd-users",
    group: Group::Sshd,
    passes_if: "AllowUsers, DenyGroups and the like, MaxSessions and others let users log in with keys",
    problems: &[
        NO_KEYS,
        METHODS,
        CHROOT,
        REFUSED,
        NO_SESSIONS,
        ALLOW_USERS,
        ALLOW_GROUPS,
        DENY_USERS,
        DENY_GROUPS,
        NO_SFTP,
        NO_FORWARDING,
    ],
    needs_root: true,
    run,
};
const NO_KEYS: Problem = Problem::fail(
    "sshd has `PubkeyAuthentication no`",
    "set PubkeyAuthentication yes, or set it in a Match Group podspawn block before podspawn's",
);
const METHODS: Problem = Problem::fail(
    "sshd asks for more than a key",
    "set AuthenticationMethods publickey in a Match Group podspawn block before podspawn's",
);
const CHROOT: Problem = Problem::fail(
    "sshd has a `ChrootDirectory`, which has no podspawn in it",
    "set ChrootDirectory none in a Match Group podspawn block before podspawn's",
);
const REFUSED: Problem = Problem::fail(
    "sshd has `RefuseConnection yes`",
    "take it out, or put it into a Match block that is not for group podspawn",
);
const NO_SESSIONS: Problem = Problem::fail("sshd has `MaxSessions 0`", "set it to 10 or more");
const ALLOW_USERS: Problem = Problem::fail(
    "AllowUsers leaves out all users (a warning if it leaves out some)",
    "add their names, or use AllowGroups with group podspawn in place of AllowUsers",
);
const ALLOW_GROUPS: Problem = Problem::fail(
    "AllowGroups leaves out all users (a warning if it leaves out some)",
    "add group podspawn to AllowGroups",
);
const DENY_USERS: Problem =
    Problem::fail("DenyUsers excludes all users (a warning if it excludes some)", "take their names out of DenyUsers");
const DENY_GROUPS: Problem = Problem::fail(
    "DenyGroups excludes all users (a warning if it excludes some)",
    "take group podspawn out of DenyGroups",
);
const NO_SFTP: Problem =
    Problem::warn("sshd has no subsystem `sftp`", "add to sshd_config, before any Match: Subsystem sftp internal-sftp");
const NO_FORWARDING: Problem = Problem::warn(
    "sshd has `DisableForwarding yes`, so that `ssh -A` does not work",
    "set DisableForwarding no in a Match Group podspawn block before podspawn's, if it should work",
);

/// Most names in a line.
const MAX_NAMES: usize = 5;

fn run(host: &Host) -> Report {
    let (options, local) = match (host.sshd_for_a_user(), host.accounts()) {
        (Ok(options), Ok(local)) => (options, local),
        (Err(_), _) => return CHECK.unknown(super::REFUSES, "sshd -t"),
        (_, Err(why)) => return CHECK.unknown(why, ""),
    };
    let more = host.sshd_for_more_users();
    let own = |name: &UserName| more.iter().find(|(user, _)| user == name).map(|(_, options)| options);
    let problems = obstacles(options, GROUP, &host.users(), local, &own);
    let declare = |report: Report| {
        let remedy = format!("declare it (services.openssh.settings, or extraConfig), and rebuild: {}", report.remedy);
        report.on_nixos(remedy)
    };
    let problems = problems.into_iter().map(declare).collect();
    CHECK.merge(problems, "sshd's lists and methods let podspawn's users in with their keys")
}

/// What keeps `members` of `group` from a login that their keys would give them. `options` are in force for one of them,
/// and `own` are those of a member, as far as sshd was asked: problems of single members are found by these.
#[must_use]
pub fn obstacles<'a>(
    options: &'a Effective,
    group: &str,
    members: &[UserName],
    local: &LocalAccounts,
    own: &dyn Fn(&UserName) -> Option<&'a Effective>,
) -> Vec<Report> {
    let mut problems = Vec::new();
    for options in std::iter::once(options).chain(members.iter().filter_map(own)) {
        for problem in of_options(options) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    let place = problems.iter().position(|report| !report.is_failure()).unwrap_or(problems.len());
    problems.splice(place..place, lists(group, members, local, &|name| own(name).unwrap_or(options), options));
    problems
}

/// The `options` that keep a user out, or keep something from working.
fn of_options(options: &Effective) -> Vec<Report> {
    let mut problems = Vec::new();
    let mut add = |problem: &Problem, seen: String| problems.push(CHECK.report(problem, seen, &[]));
    if !options.is_yes("pubkeyauthentication") {
        add(&NO_KEYS, "sshd has PubkeyAuthentication no, and podspawn's users have nothing but keys".to_owned());
    }
    let methods: Vec<&str> = options.words("authenticationmethods").collect();
    if !methods.is_empty() && !methods.iter().any(|method| ["any", "publickey"].contains(method)) {
        let methods = methods.join(" ");
        add(&METHODS, format!("sshd has AuthenticationMethods {methods}, and podspawn's users have nothing but keys"));
    }
    if let Some(directory) = options.named("chrootdirectory") {
        add(&CHROOT, format!("sshd has ChrootDirectory {directory}, where there is no podspawn"));
    }
    if options.is_yes("refuseconnection") {
        add(&REFUSED, "sshd has RefuseConnection yes".to_owned());
    }
    if options.value("maxsessions") == "0" {
        add(&NO_SESSIONS, "sshd has MaxSessions 0, so no user gets a session".to_owned());
    }
    if !options.words("subsystem").any(|word| word == "sftp") {
        add(&NO_SFTP, "sshd has no subsystem sftp, so sftp and scp fail".to_owned());
    }
    if options.is_yes("disableforwarding") {
        add(&NO_FORWARDING, "sshd has DisableForwarding yes, so ssh -A does not work".to_owned());
    }
    problems
}

/// The users whom one of sshd's lists keeps out: all of them is a failure, some may be meant. `any` are the options in
/// force where no member exists.
fn lists<'a>(
    group: &str,
    members: &[UserName],
    local: &LocalAccounts,
    own: &dyn Fn(&UserName) -> &'a Effective,
    any: &Effective,
) -> Option<Report> {
    let excluded = |name: &str, options: &Effective| {
        let mut groups = local.account(name).map(|account| local.groups_of(account)).unwrap_or_default();
        groups.push(group.to_owned());
        pattern::excluded_by(options, name, &groups)
    };
    let report = |list: &str, names: &str| {
        let problem = match list {
            "AllowUsers" => &ALLOW_USERS,
            "AllowGroups" => &ALLOW_GROUPS,
            "DenyUsers" => &DENY_USERS,
            _ => &DENY_GROUPS,
        };
        CHECK.report(problem, format!("sshd's {list} leaves out {names}"), &[])
    };
    if members.is_empty() {
        // No name can be in the list yet; a pattern that fits every name is a problem already.
        return excluded("podspawn-user", any).map(|list| report(list, "podspawn's users"));
    }
    let out: Vec<(&UserName, &str)> =
        members.iter().filter_map(|name| excluded(name.as_ref(), own(name)).map(|list| (name, list))).collect();
    let (_, list) = *out.first()?;
    let names: Vec<&str> = out.iter().map(|(name, _)| name.as_ref()).take(MAX_NAMES).collect();
    let report = report(list, &names.join(", "));
    Some(if out.len() == members.len() { report } else { report.as_warning() })
}

/// The report of another tool's command for keys, which podspawn's block leaves alone for all other users.
#[must_use]
pub fn foreign_command(others: &Effective) -> Option<Report> {
    let command = others.named("authorizedkeyscommand")?;
    let seen = format!("sshd asks {command} for keys: it goes on to do so for all users but members of group podspawn");
    Some(Report::warn(CHECK.name, seen, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Effective {
        Effective::parse_for_test(&format!("pubkeyauthentication yes\nsubsystem sftp x\nusepam yes\n{text}"))
    }

    fn names(names: &[&str]) -> Vec<UserName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn found(text: &str, members: &[&str]) -> Vec<Report> {
        obstacles(&options(text), GROUP, &names(members), &LocalAccounts::default(), &|_| None)
    }

    #[test]
    fn an_option_that_keeps_all_users_out_is_a_failure_with_a_remedy() {
        assert_eq!(found("maxsessions 10\nauthenticationmethods any\nchrootdirectory none", &[]), []);
        for (text, word) in [
            ("authenticationmethods publickey,password", "AuthenticationMethods"),
            ("chrootdirectory /srv", "ChrootDirectory"),
            ("refuseconnection yes", "RefuseConnection"),
            ("maxsessions 0", "MaxSessions"),
            ("allowusers root", "AllowUsers"),
            ("allowgroups sudo", "AllowGroups"),
            ("denyusers *", "DenyUsers"),
            ("denygroups podspawn", "DenyGroups"),
        ] {
            for members in [&[][..], &["alice"]] {
                let found = found(text, members);
                assert!(found.len() == 1 && found[0].is_failure() && found[0].seen.contains(word), "{text}: {found:?}");
            }
        }
        let off = obstacles(
            &Effective::parse_for_test("pubkeyauthentication no"),
            GROUP,
            &[],
            &LocalAccounts::default(),
            &|_| None,
        );
        assert!(off[0].is_failure() && off[0].seen.contains("PubkeyAuthentication"), "{off:?}");
    }

    #[test]
    fn a_list_that_leaves_out_some_users_is_a_warning() {
        let some = found("allowusers alice", &["alice", "bob"]);
        assert!(!some[0].is_failure() && some[0].seen.contains("bob"), "{some:?}");
        assert_eq!(found("allowgroups sudo\nallowgroups podspawn", &["alice"]), []);
        // A list, or anything else, that is for one of them alone.
        for (text, what) in [("denyusers *", "DenyUsers leaves out bob"), ("maxsessions 0", "MaxSessions 0")] {
            let (any, his) = (options(""), options(text));
            let own = |name: &UserName| (name.as_ref() == "bob").then_some(&his);
            let found = obstacles(&any, GROUP, &names(&["alice", "bob"]), &LocalAccounts::default(), &own);
            assert!(found.len() == 1 && found[0].seen.contains(what), "{found:?}");
        }
    }
}
