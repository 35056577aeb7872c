//! What takes the bench host for itself.

use super::*;
use std::time::Duration;

#[test]
fn asynchronous_io_is_bounded_by_the_memory_of_the_container_that_uses_it() {
    let bench = bench::alone();
    let (alice, bob) = (bench.user_with("memory: 96m"), bench.user());
    bob.run("true").success();
    let takes = |user: &User<'_>, contexts: u32| Taker::start(user, &format!("{TAKE_AIO}{contexts}"));
    let _set = set(&bench, "fs.aio-max-nr");
    // As much as the kernel has for all users at its default, held.
    let greedy = takes(&alice, 4);
    assert_eq!(greedy.says(), "4");
    let other = takes(&bob, 4);
    assert_eq!(other.says(), "4");
    // And as much as there is: the container's memory ends before the kernel's number of requests. Then a process is
    // killed, or, while the kernel finds files of the container to drop from its cache, hangs.
    let greedier = takes(&alice, 1_000_000);
    assert!(matches!(greedier.line.recv_timeout(Duration::from_secs(15)).as_deref(), Ok("") | Err(_)));
    assert_eq!(takes(&bob, 1).says(), "1");
}
