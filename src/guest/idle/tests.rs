use super::*;
use crate::{guest::process::Streams, sys::pty};
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::OwnedFd;

/// A channel's traffic on pipes, the writing end of its input, and the other ends.
fn piped() -> (Traffic, OwnedFd, impl Sized) {
    let [(input, to_input), (from_output, output), (from_error, error)] =
        [(); 3].map(|()| pipe_with(PipeFlags::CLOEXEC).unwrap());
    let streams = Streams::Given([input, output, error]);
    (Traffic::of(&streams), to_input, (streams, from_output, from_error))
}

/// A watch of one channel on pipes, the writing end of its input, and the other ends.
fn watched(start: Instant) -> (Idle, OwnedFd, impl Sized) {
    let (traffic, to_input, ends) = piped();
    let mut idle = Idle::new(Path::new("/nonexistent"), start);
    idle.opened(start);
    idle.observe(ChannelId(1), traffic);
    (idle, to_input, ends)
}

#[test]
fn a_byte_on_one_of_two_channels_is_enough() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    for busy in [0, 1] {
        let (mut idle, first, _ends) = watched(start);
        let (traffic, second, _other_ends) = piped();
        idle.observe(ChannelId(2), traffic);
        idle.set_timeout(1, start);
        assert_eq!(idle.look(at(0)), None);
        rustix::io::write([&first, &second][busy], b"x").unwrap();
        assert_eq!(idle.look(at(1000)), None, "the byte went through channel {}", busy + 1);
        assert_eq!(idle.look(at(2000)), Some(1));
    }
}

#[test]
fn silence_is_reported_at_each_look_until_a_byte_moves() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let (mut idle, to_input, _ends) = watched(start);
    assert_eq!((idle.deadline(), idle.look(at(60_000))), (None, None), "no timeout is set");

    idle.set_timeout(1, at(2000));
    assert_eq!(idle.look(at(2000)), None);
    assert_eq!(idle.deadline(), Some(at(3000)));
    assert_eq!(idle.look(at(2999)), None);
    assert_eq!(idle.look(at(3000)), Some(1));
    assert_eq!(idle.look(at(4000)), Some(2));

    rustix::io::write(&to_input, b"x").unwrap();
    assert_eq!(idle.look(at(5000)), None);
    assert_eq!(idle.look(at(6000)), Some(1));

    // The same timeout again, of the next broker: the silence goes on.
    idle.set_timeout(1, at(6500));
    assert_eq!(idle.look(at(6500)), Some(1));
    idle.set_timeout(0, at(7000));
    assert_eq!(idle.look(at(60_000)), None);
}

#[test]
fn opening_and_closing_a_channel_end_a_silence() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let (mut idle, _to_input, _ends) = watched(start);
    idle.set_timeout(1, start);
    assert_eq!(idle.look(at(0)), None);
    idle.opened(at(900));
    assert_eq!(idle.look(at(1000)), None);
    idle.observe(ChannelId(2), Traffic::Hidden);
    idle.closed(ChannelId(2), at(1500));
    assert_eq!(idle.look(at(2400)), None);
    assert_eq!(idle.look(at(3400)), Some(1));
    idle.closed(ChannelId(1), at(4000));
    assert_eq!(idle.deadline(), None, "nothing to look at");
}

#[test]
fn a_terminal_is_silent_only_after_what_the_kernel_may_not_have_written_yet() {
    let start = Instant::now();
    let pty::Pty { master: _master, slave, .. } = pty::open().unwrap();
    let mut idle = Idle::new(Path::new("/nonexistent"), start);
    idle.observe(ChannelId(1), Traffic::of(&Streams::Terminal(slave)));
    idle.set_timeout(1, start);
    for second in 0..9 {
        assert_eq!(idle.look(start + Duration::from_secs(second)), None, "{second} s");
    }
    assert_eq!(idle.look(start + Duration::from_secs(1) + TERMINAL_PRECISION), Some(1));
}

#[test]
fn a_channel_that_cannot_be_seen_is_never_silent() {
    let start = Instant::now();
    let mut idle = Idle::new(Path::new("/nonexistent"), start);
    idle.observe(ChannelId(1), Traffic::Hidden);
    idle.set_timeout(1, start);
    for second in 0..60 {
        assert_eq!(idle.look(start + Duration::from_secs(second)), None, "{second} s");
    }
}
