//! What a guest says when nothing is sent or received.

use super::*;

fn idle_timeout(broker: &OwnedFd, seconds: u64) {
    packets::send(broker, &FromBroker::IdleTimeout { seconds }, &[]).unwrap();
}

/// The seconds of silence that the guest reports next.
fn silence(broker: &OwnedFd) -> u64 {
    match next(broker) {
        Some((FromGuest::Idle { seconds }, _)) => seconds,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silence_is_reported_to_the_broker_and_to_the_next_one() {
    let bench = Bench::new();
    let client = bench.command(1, "cat");
    let _streams = client.start(false);
    idle_timeout(&bench.broker, 1);
    assert!(silence(&bench.broker) >= 1);
    assert!(silence(&bench.broker) >= 2);
    let Bench { directory, broker, listener } = bench;
    drop((broker, listener));
    let listener = listen(directory.path());
    let (broker, _) = accept(&listener);
    idle_timeout(&broker, 1);
    assert!(silence(&broker) >= 2, "it began before this broker");
}

#[test]
fn a_client_whose_session_is_ended_reads_the_reason() {
    let bench = Bench::new();
    let client = bench.command(1, "trap 'echo hup; exit' HUP; echo ready; while :; do sleep 0.05; done");
    let [_input, mut output, _error] = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    output.read_exact(&mut [0; 6]).unwrap();
    packets::send(&bench.broker, &FromBroker::End { text: "enough\x1b[2J".into() }, &[]).unwrap();
    assert_eq!(client.said(), ToSpawn::Failed("enough\u{fffd}[2J".into()));
    assert!(next::<ToSpawn>(&client.socket).is_none());
    bench.closed(&client, None);
    assert_eq!(text(output), "hup\n");
}
