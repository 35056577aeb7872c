//! What takes the bench host for itself.

use super::*;

#[test]
fn a_silence_that_began_before_the_broker_was_there_again_ends_as_any() {
    let bench = bench::alone();
    let user = bench.user();
    let mut process = user.start(&QUIET, READY);
    let down = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
    thread::sleep(TIMEOUT * 2);
    assert!(!process.has_ended(), "a connection is hung up without a broker");
    drop(down);
    let began = Instant::now();
    // The first call activates it.
    eventually("no connection is counted", || user.connections() == 0);
    assert!(began.elapsed() < TIMEOUT, "the silence counts from when it began: {:?}", began.elapsed());
    let done = process.finish();
    assert_eq!((done.code, done.errors()), (Some(255), format!("{CLOSED}\n")), "{done:?}");
}
