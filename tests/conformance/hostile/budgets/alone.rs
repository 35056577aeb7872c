//! What takes the bench host for itself.

use super::*;

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
    // And as much as there is: it is the container's memory that ends, before the kernel says that there is no more.
    assert_eq!(takes(&alice, 1_000_000).says(), "");
    assert_eq!(takes(&bob, 1).says(), "1");
}
