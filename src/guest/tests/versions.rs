//! Brokers and spawns of other versions than the guest's.

use super::*;

/// Nothing is said for a while.
fn assert_silent(socket: &OwnedFd, seconds: i64) {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let ready = poll(&mut fds, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })).unwrap();
    assert_eq!(ready, 0, "{:?}", next::<FromGuest>(socket));
}

#[test]
fn a_broker_of_the_first_version_is_sent_nothing_that_it_does_not_know() {
    let Bench { directory, broker, listener } = Bench::new();
    let bench = Bench { directory, broker, listener };
    let client = bench.command(1, "cat");
    let streams = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    // What a later broker asked for does not hold for an earlier one.
    packets::send(&bench.broker, &FromBroker::IdleTimeout { seconds: 1 }, &[]).unwrap();
    let Bench { directory, broker, listener } = bench;
    drop((broker, listener));
    let listener = listen(directory.path());
    let (broker, channels) = accept_speaking(1, &listener);
    assert_eq!(channels, [ChannelId(1)]);
    assert_silent(&broker, 3);
    drop(streams);
    let bench = Bench { directory, broker, listener };
    bench.closed(&client, Some(Outcome::Exited(0)));
}

#[test]
fn before_the_answer_to_its_greeting_a_guest_says_nothing_else() {
    let Bench { directory, broker, listener } = Bench::new();
    let bench = Bench { directory, broker, listener };
    let client = bench.command(1, "cat");
    let streams = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    let Bench { directory, broker, listener } = bench;
    drop((broker, listener));
    let listener = listen(directory.path());
    let broker = rustix::net::accept(&listener).unwrap();
    assert!(matches!(next(&broker), Some((FromGuest::Hello { .. }, _))));
    drop(streams);
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Exited(0)));
    assert_silent(&broker, 1);
    packets::send(&broker, &FromBroker::Welcome { protocol: 1 }, &[]).unwrap();
    Bench { directory, broker, listener }.closed(&client, Some(Outcome::Exited(0)));
}

#[test]
fn what_a_later_version_says_is_passed_over() {
    let bench = Bench::new();
    for later in [&[6][..], &[6, 0xff, 0xff], &[100, 1, 2, 3]] {
        seqpacket::send(&bench.broker, later, &[]).unwrap();
    }
    let client = bench.command(1, "exit 3");
    for later in [&[2][..], &[2, 0xff, 0xff], &[100, 1, 2, 3]] {
        seqpacket::send(&client.socket, later, &[]).unwrap();
    }
    let _streams = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Exited(3)));
    bench.closed(&client, Some(Outcome::Exited(3)));
}
