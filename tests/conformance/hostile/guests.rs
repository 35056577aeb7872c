//! Guests that do not behave: a process that plays one, one that is frozen, and a first process that is none of podspawn's,
//! as if the container's root had taken its place.

mod alone;

use super::assert_serves;
use crate::{
    bench::{self, Bench, Disturbance, User, eventually},
    client::{Finished, Process},
    peer::Order,
    refusals::assert_refused,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use podspawn::protocol::{guest::FromGuest, packet};
use serde_json::Value;
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
         peer::the_broker_describes_itself_to_every_caller --nocapture\nEND\n\
         truncate -s $size $copy.new; chmod 0555 $copy.new; mv $copy.new $copy"
    );
    let mend = format!("{copy}; mv /run/podspawn-test/guest $copy; docker rmi -f {IMAGE} >/dev/null 2>&1 || true");
    Disturbance::of(bench, &disturb, mend)
}

/// A packet of the guest channel.
fn encoded(message: &FromGuest) -> String {
    BASE64_STANDARD.encode(packet::encode(message).unwrap())
}

/// Copies the peer program into a container.
pub(super) fn carry_in(user: &User<'_>) {
    let bench = user.bench;
    bench.root(&format!("docker cp /run/podspawn-test/peer {}:/tmp/peer", user.container()));
}

/// Runs it there as some uid.
fn send_inside(user: &User<'_>, uid: &str, order: &Order) -> Value {
    let order = format!("PODSPAWN_PEER={}", serde_json::to_string(order).unwrap());
    let container = user.container();
    let mut exec = user.bench.command(&[]);
    exec.args(["docker", "exec", "--user", uid, "--env", &order, &container, "/tmp/peer", "--exact"]);
    exec.args(["peer::the_broker_describes_itself_to_every_caller", "--nocapture"]);
    let done = Finished::of(&mut exec, b"");
    serde_json::from_slice(&done.err).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

#[test]
fn a_process_in_the_container_that_plays_the_guest_is_ignored() {
    let bench = bench::shared();
    let user = bench.user();
    let held = user.start(&[], "echo ready; exec sleep 1000");
    carry_in(&user);
    let hello = FromGuest::Hello { protocol: 1, release: "evil".into(), channels: Vec::new() };
    let packets = vec![encoded(&hello), BASE64_STANDARD.encode([0xff; 100])];
    for uid in [user.uid().to_string().as_str(), "0"] {
        let socket = "/.podspawn/run/broker.sock".into();
        let order = Order::Packets { socket, packets: packets.clone(), hold_ms: 3000 };
        let found = send_inside(&user, uid, &order);
        assert_eq!(found["answered"], 0, "uid {uid}: {found}");
        // The real guest is still believed.
        assert_eq!(user.connections(), 1);
        assert_eq!(user.run("echo fine").quiet_success(), "fine");
    }
    drop(held);
    assert_serves(&bench);
}

#[test]
fn a_guest_that_is_frozen_is_a_refusal_for_its_own_user_only() {
    let bench = bench::shared();
    let (user, other) = (bench.user(), bench.user());
    user.run("true").success();
    eventually("no connection is counted", || user.connections() == 0);
    let pid = bench.root(&format!("docker inspect --format '{{{{.State.Pid}}}}' {}", user.container()));
    bench.root(&format!("kill -STOP {pid}"));
    // The guest's socket holds the first logins, two or three of such a length; the next one finds no place there.
    let command = format!("echo through #{}", "x".repeat(100_000));
    let mut held = Vec::new();
    let refused = loop {
        let mut login = Process::start(user.ssh(&[]).arg(&command));
        login.send(Vec::new());
        eventually("the login is held or refused", || {
            login.has_ended() || user.connections() > u64::try_from(held.len()).unwrap()
        });
        if login.has_ended() {
            break login.finish();
        }
        held.push(login);
        assert!(held.len() < 10, "a guest that is frozen takes every login");
    };
    assert_refused(&refused, &["your container does not take new connections"]);
    assert!(!held.is_empty(), "{refused:?}");
    assert_eq!(other.run("echo others").quiet_success(), "others");
    bench.root(&format!("kill -CONT {pid}"));
    for login in held {
        assert_eq!(login.finish().quiet_success(), "through");
    }
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
}
