//! A first process of a container that is not podspawn's guest, as if the container's root had taken its place.

use crate::{
    bench::{self, Bench, Disturbance, eventually},
    client::Process,
    peer::Order,
};
use std::time::Duration;

/// An image with the peer program in it.
const IMAGE: &str = "podspawn-test-liar";
/// How long the liar keeps the connection that it was given.
const HOLD_MS: u64 = 4000;

/// Puts a program in the place of the copy that containers run: the peer, with an order. A copy is known by its name and
/// its length.
fn lying_guests(bench: &Bench) -> Disturbance<'_> {
    let order = serde_json::to_string(&Order::Lie { channels: 200, hold_ms: HOLD_MS }).unwrap();
    bench.root(&format!(
        "docker rm -f {IMAGE} >/dev/null 2>&1; docker create --name {IMAGE} podspawn-workload true && \
         docker cp /run/podspawn-test/peer {IMAGE}:/peer && docker commit {IMAGE} {IMAGE}:latest && docker rm {IMAGE}"
    ));
    let copy = "copy=/var/lib/podspawn/guest/$(sha256sum </usr/bin/podspawn | cut -d' ' -f1)";
    let disturb = format!(
        "set -e; {copy}; cp -p $copy /run/podspawn-test/guest; size=$(stat -c %s $copy)\n\
         cat >$copy.new <<'END'\n#!/bin/sh\nPODSPAWN_PEER='{order}' exec /peer --exact \
         peer::the_broker_describes_itself_to_whoever_asks --nocapture\nEND\n\
         truncate -s $size $copy.new; chmod 0555 $copy.new; mv $copy.new $copy"
    );
    let mend = format!("{copy}; mv /run/podspawn-test/guest $copy; docker rmi -f {IMAGE} >/dev/null 2>&1 || true");
    Disturbance::of(bench, &disturb, mend)
}

#[test]
fn a_guest_that_invents_connections_is_logged_once_and_loses_its_container() {
    let bench = bench::alone();
    let overrides = format!("image: {IMAGE}:latest\nmode: destroy-on-disconnect");
    let (user, other) = (bench.user_with(&overrides), bench.user());
    // The copy has to be there.
    other.run("true").success();
    let liars = lying_guests(&bench);
    let since = bench.root("date +%s");
    let login = Process::start(user.ssh(&[]).arg("true"));
    eventually("the liar is connected", || user.connections() > 0);
    // For as long as it holds the one that is real, there is one.
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(user.connections());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(most, 1, "connections that nobody opened are counted");
    assert_eq!(login.finish().code, Some(255));
    // Whatever it goes on to name, nobody is connected.
    eventually("the session ends", || user.sessions().is_empty());
    let journal = bench.root(&format!("journalctl --quiet --output=cat --since=@{since} PODSPAWN_USER={}", user.name));
    let about = |text: &str| journal.lines().filter(|line| line.contains(text)).count();
    assert_eq!((about("connections that do not exist"), about(" disconnected: ")), (1, 1), "{journal:.2000}");
    assert!(journal.lines().count() < 10, "{journal:.2000}");
    assert_eq!(other.run("echo fine").quiet_success(), "fine");
    drop(liars);
}
