//! What a guest says when nothing is sent or received.

use super::*;

fn idle_timeout(broker: &OwnedFd, seconds: u64) {
    packets::send(broker, &FromBroker::IdleTimeout { seconds }, &[]).unwrap();
}

/// How often silence is reported within `time`.
fn reports(broker: &OwnedFd, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut count = 0;
    loop {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).unwrap();
        if poll(&mut [PollFd::new(broker, PollFlags::IN)], Some(&left)).unwrap() == 0 {
            return count;
        }
        match next(broker).unwrap().0 {
            FromGuest::Idle { seconds } => assert!(seconds >= 1),
            other => panic!("{other:?}"),
        }
        count += 1;
    }
}

#[test]
fn silence_is_reported_until_it_ends_and_a_byte_on_one_channel_is_enough() {
    let bench = Bench::new();
    let (one, two) = (bench.command(1, "cat"), bench.command(2, "cat"));
    let _silent = one.start(false);
    let [mut input, mut output, _error] = two.start(false);
    assert_eq!(reports(&bench.broker, Duration::from_secs(2)), 0, "nobody has asked");
    idle_timeout(&bench.broker, 1);
    assert!(reports(&bench.broker, Duration::from_millis(3500)) >= 2);
    let mut talk = |times: u32| {
        for _ in 0..times {
            input.write_all(b"x").unwrap();
            output.read_exact(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    talk(6);
    // What was reported before it began.
    reports(&bench.broker, Duration::ZERO);
    talk(12);
    assert_eq!(reports(&bench.broker, Duration::ZERO), 0);
    assert!(reports(&bench.broker, Duration::from_secs(3)) >= 1);
    // Coming and going is something that happens.
    bench.command(3, "true").start(false);
    assert!(matches!(bench.event(), FromGuest::Closed { channel: ChannelId(3), .. }));
    assert_eq!(reports(&bench.broker, Duration::from_millis(900)), 0);
    idle_timeout(&bench.broker, 0);
    assert_eq!(reports(&bench.broker, Duration::from_secs(2)), 0);
}

#[test]
fn silence_that_no_broker_heard_of_is_told_to_the_next() {
    let Bench { directory, broker, listener } = Bench::new();
    let bench = Bench { directory, broker, listener };
    let client = bench.command(1, "cat");
    let _streams = client.start(false);
    idle_timeout(&bench.broker, 2);
    let Bench { directory, broker, listener } = bench;
    drop((broker, listener));
    std::thread::sleep(Duration::from_millis(2500));
    let listener = listen(directory.path());
    let (broker, _) = accept(&listener);
    idle_timeout(&broker, 2);
    assert!(reports(&broker, Duration::from_millis(500)) >= 1);
}

#[test]
fn a_terminal_is_silent_only_after_what_the_kernel_may_have_kept_to_itself() {
    let bench = Bench::new();
    let client = bench.open(1, Program::Shell);
    let (control, local) = (libc::CS8 | libc::CREAD, libc::ICANON);
    let modes = TerminalModes { input: 0, output: 0, control, local, characters: [0; 19] };
    let terminal = Terminal { rows: 12, columns: 34, x_pixels: 0, y_pixels: 0, modes };
    packets::send(&client.socket, &FromSpawn::Start { terminal: Some(terminal), agent: false }, &[]).unwrap();
    let Some((ToSpawn::Master, fds)) = next(&client.socket) else { panic!("no master") };
    idle_timeout(&bench.broker, 1);
    assert_eq!(reports(&bench.broker, Duration::from_secs(8)), 0);
    assert!(reports(&bench.broker, Duration::from_secs(12)) >= 1);
    drop(fds);
}

#[test]
fn whoever_is_ended_reads_why() {
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
