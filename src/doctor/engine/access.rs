//! `engine-access`: no user reaches the engine, which is root on this host, but through the broker.

use crate::{
    accounts::local::LocalAccounts,
    doctor::{Check, Group, Host, Problem, Report},
    domain::UserName,
    engine::product,
};
use std::os::unix::fs::MetadataExt as _;

/// The check.
pub(crate) const CHECK: Check = Check {
    name: "engine-access",
    group: Group::Accounts,
    passes_if: "no user reaches the engine, which is root: not by a group, not by an open socket",
    problems: &[MEMBER, OPEN_SOCKET],
    needs_root: true,
    run,
};
const MEMBER: Problem =
    Problem::fail("a user is in a group that can use the engine", "`gpasswd --delete {user} {group}`")
        .on_nixos("`gpasswd --delete {user} {group}` # and remove the group from users.users.{user}.extraGroups");
const OPEN_SOCKET: Problem = Problem::fail("every user can use the engine's socket", "`chmod 0660 {socket}`");

fn run(host: &Host) -> Report {
    let local = match host.accounts() {
        Ok(local) => local,
        Err(why) => return CHECK.unknown(why, "sudo podspawn doctor"),
    };
    let socket = host.settings.config.engine.socket();
    let about = socket.metadata().ok().map(|about| (about.mode(), about.gid()));
    access(local, &host.users(), about, &socket.display().to_string())
}

/// `socket` is the mode and group of the engine's socket.
fn access(local: &LocalAccounts, users: &[UserName], socket: Option<(u32, u32)>, path: &str) -> Report {
    let by_socket = socket.and_then(|(_, gid)| local.groups.iter().find(|group| group.gid == gid));
    let by_socket = by_socket.map(|group| group.name.as_str()).filter(|name| *name != "root");
    let usual = product().group;
    let mut problems = Vec::new();
    for group in [Some(usual), by_socket.filter(|name| *name != usual)].into_iter().flatten() {
        let members = local.members(group);
        problems.extend(users.iter().filter(|user| members.contains(user)).map(|user| {
            let seen = format!("{user} is in group {group}, which is root on this host");
            CHECK.report(&MEMBER, seen, &[("user", user), ("group", &group)])
        }));
    }
    if socket.is_some_and(|(mode, _)| mode & 0o006 != 0) {
        let seen = format!("every user can use the engine at {path}, and so be root on this host");
        problems.push(CHECK.report(&OPEN_SOCKET, seen, &[("socket", &path)]));
    }
    CHECK.merge(problems, "no user reaches the engine but through the broker")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use std::fs;

    fn local() -> LocalAccounts {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "alice:x:1000:990::/var/empty:/bin/sh\nbob:x:1001:990::/var/empty:/bin/sh\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), "podspawn:x:990:\ndocker:x:991:bob\npods:x:992:alice\n").unwrap();
        LocalAccounts::read(root.path()).unwrap()
    }

    #[test]
    fn a_user_who_reaches_the_engine_is_named_by_the_group_that_the_socket_has() {
        let users: Vec<UserName> = ["alice", "bob"].iter().map(|name| name.parse().unwrap()).collect();
        let report = |socket, users: &[UserName]| access(&local(), users, socket, "/run/engine.sock");
        assert_eq!(report(Some((0o140_660, 991)), &users[..1]).outcome, Outcome::Pass);
        let docker = report(None, &users);
        assert_eq!((docker.outcome, docker.remedy.as_str()), (Outcome::Fail, "gpasswd --delete bob docker"));
        let other = report(Some((0o140_660, 992)), &users[..1]);
        assert!(other.seen.starts_with("alice is in group pods"), "{other:?}");
        assert_eq!(report(Some((0o140_666, 0)), &[]).remedy, "chmod 0660 /run/engine.sock");
    }
}
