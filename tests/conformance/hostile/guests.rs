//! A first process of a container that is not podspawn's guest, as if the container's root had taken its place.

mod alone;

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
         peer::the_broker_describes_itself_to_every_caller --nocapture\nEND\n\
         truncate -s $size $copy.new; chmod 0555 $copy.new; mv $copy.new $copy"
    );
    let mend = format!("{copy}; mv /run/podspawn-test/guest $copy; docker rmi -f {IMAGE} >/dev/null 2>&1 || true");
    Disturbance::of(bench, &disturb, mend)
}
