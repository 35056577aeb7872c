//! Many at once.

mod alone;

use crate::{
    bench::{self, User},
    client::{Finished, Process},
};
use std::collections::BTreeSet;

/// Starts all of them before it waits for any.
fn at_once<'a>(users: impl Iterator<Item = &'a User<'a>>, command: &str) -> Vec<Finished> {
    let started: Vec<Process> = users
        .map(|user| {
            let mut process = Process::start(user.ssh(&[]).arg(command));
            process.send(Vec::new());
            process
        })
        .collect();
    started.into_iter().map(|process| process.finish_within(std::time::Duration::from_secs(180))).collect()
}

#[test]
fn ten_channels_share_one_connection() {
    let bench = bench::shared();
    let user = bench.user();
    let here = tempfile::tempdir().unwrap();
    let path = format!("ControlPath={}", here.path().join("c").display());
    let master = user.start(&["-o", "ControlMaster=yes", "-o", &path], "echo ready; exec sleep 1000");
    let channels: Vec<Process> = (0..10)
        .map(|number| {
            let command = format!("cat >/dev/null; echo {number} $(hostname); exit {number}");
            let mut process = Process::start(user.ssh(&["-o", &path]).arg(command));
            process.send(vec![b'x'; 500_000]);
            process
        })
        .collect();
    let mut hosts = BTreeSet::new();
    for (number, channel) in (0..10).zip(channels) {
        let done = channel.finish();
        let text = done.text();
        let (printed, host) = text.trim().split_once(' ').unwrap_or_else(|| panic!("{done:?}"));
        assert_eq!((done.code, printed), (Some(number), number.to_string().as_str()));
        hosts.insert(host.to_owned());
    }
    assert_eq!(hosts.len(), 1);
    let sftp = Finished::of(user.client("sftp").args(["-o", &path, "-b", "-", &user.name]), b"pwd\n");
    sftp.success();
    drop(master);
}

#[test]
fn twenty_logins_of_a_new_user_at_once_make_one_container() {
    let bench = bench::shared();
    let user = bench.user();
    let since = bench.root("date +%s");
    let done = at_once(std::iter::repeat_n(&user, 20), "cat /etc/hostname; echo $SSH_CONNECTION");
    let good = done.iter().filter(|done| done.code == Some(0) && done.err.is_empty()).count();
    assert_eq!(good, 20, "{done:#?}");
    let hosts: BTreeSet<String> = done.iter().map(|done| done.text().lines().next().unwrap().to_owned()).collect();
    assert_eq!(hosts.len(), 1);
    let created = bench.root(&format!(
        "docker events --since {since} --until $(date +%s) --filter type=container --filter event=create \
         --filter label=podspawn-user={} --format '{{{{.ID}}}}' | wc -l",
        user.name
    ));
    assert_eq!((created.as_str(), user.containers().len()), ("1", 1));
}

#[test]
fn logins_of_many_users_come_back_to_their_own_containers() {
    let bench = bench::shared();
    let users: Vec<User<'_>> = (0..5).map(|_| bench.user()).collect();
    for done in at_once(users.iter(), "id -un >~/whose") {
        done.quiet_success();
    }
    for (user, done) in users.iter().zip(at_once(users.iter(), "cat ~/whose")) {
        assert_eq!(done.quiet_success(), user.name);
    }
}
