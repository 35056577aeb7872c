//! What a client may bring, and what its process may have.

use super::*;
use crate::protocol::guest::MAX_OPEN_FILES;
use rustix::process::{Resource, getrlimit};

#[test]
fn a_client_that_brings_no_stream_is_refused_and_nothing_is_started() {
    let bench = Bench::new();
    let (directory, null) = (File::open("/").unwrap(), File::open("/dev/null").unwrap());
    for place in 0..3 {
        let client = bench.command(place, "touch /proc/self/fd/0/started; echo started >started");
        let fds = std::array::from_fn::<_, 3, _>(|n| if n as u64 == place { directory.as_fd() } else { null.as_fd() });
        packets::send(&client.socket, &FromSpawn::Start { terminal: None, agent: false }, &fds).unwrap();
        let ToSpawn::Failed(said) = client.said() else { panic!("{place}: started") };
        let stream = ["standard input", "standard output", "standard error"][usize::try_from(place).unwrap()];
        assert!(said.starts_with(&format!("{stream} is a directory; ")), "{said}");
        assert!(next::<ToSpawn>(&client.socket).is_none());
        bench.closed(&client, None);
    }
    assert!(!bench.directory.path().join("root/home/alice/started").exists());
}

#[test]
fn descriptors_with_a_packet_that_has_none_end_the_channel() {
    let bench = Bench::new();
    let client = bench.command(1, "exec sleep 100");
    let [_input, output, _error] = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    packets::send(&client.socket, &FromSpawn::Signal(28), &[output.as_fd()]).unwrap();
    assert!(next::<ToSpawn>(&client.socket).is_none());
    bench.closed(&client, None);
}

#[test]
fn a_process_may_have_fewer_descriptors_than_the_guest() {
    let bench = Bench::new();
    let client = bench.command(1, "ulimit -Sn; ulimit -Hn");
    let [_input, output, _error] = client.start(false);
    let own = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).min(MAX_OPEN_FILES);
    assert_eq!(text(output), format!("{own}\n{own}\n"));
}
