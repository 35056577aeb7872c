//! Kernel budgets that are counted by user id: one user takes all of one, and another still has all of it.
//!
//! The attacks are Perl, which every Debian image has: `syscall` needs no library that the image may lack. Numbers are those
//! of `x86_64` and of `aarch64`, in this order.

mod alone;

use crate::{
    bench::{self, User, eventually},
    client::Finished,
};

/// Opens what `what` opens as often as that works, prints how often, and holds it until its input ends.
fn greedy(what: &str) -> String {
    format!(
        "exec perl -e '
            use strict; use Socket; use Fcntl;
            my $arm = `uname -m` =~ /^aarch64/;
            my (@held, $count); $count = 0;
            {what}
            $| = 1; print \"$count\\nready\\n\"; <STDIN>'"
    )
}

/// A budget: its name, what uses it up, and how much of it a single attempt of another user must still get.
const BUDGETS: [(&str, &str, u64); 4] = [
    // fs.inotify.max_user_instances
    ("inotify", "while ($count < 5000) { last if syscall($arm ? 26 : 294, 0) < 0; $count++ }", 100),
    // fs.pipe-user-pages-soft: beyond it pipes have one page, and F_SETPIPE_SZ (1031) fails.
    (
        "pipe buffers",
        "while ($count < 400) {
             pipe(my $r, my $w) or last; push @held, $r, $w;
             last unless fcntl($w, 1031, 1048576); $count++ }",
        16,
    ),
    // RLIMIT_SIGPENDING, with timers: each holds a queued signal from its creation on.
    (
        "pending signals",
        "my $id = pack(\"i\", 0);
         while ($count < 200000) { last if syscall($arm ? 107 : 222, 1, 0, $id) < 0; $count++ }",
        1000,
    ),
    // RLIMIT_NOFILE of descriptors in flight: pairs of sockets, each with messages of 250 descriptors that stay unread.
    (
        "descriptors in flight",
        "my $data = \"x\"; my $iov = pack(\"P Q\", $data, 1);
         my $payload = pack(\"i250\", (0) x 250);
         my $control = pack(\"Q i i\", 16 + 1000, 1, 1) . $payload;
         PAIR: while ($count < 2000000) {
             socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or last; push @held, $a, $b;
             for (1 .. 100) {
                 my $header = pack(\"Q L x4 P Q P Q i x4\", 0, 0, $iov, 1, $control, length $control, 0);
                 my $sent = syscall($arm ? 211 : 46, fileno($a), $header, 0x40);
                 if ($sent < 0) { last PAIR if $!{ETOOMANYREFS}; last }
                 $count += 250 } }",
        500,
    ),
];

fn attempt(user: &User<'_>, what: &str) -> Finished {
    user.run_with(&[], greedy(what), b"")
}

#[test]
fn what_one_user_takes_of_a_kernel_budget_is_not_missing_for_another() {
    // Whatever else runs on the bench takes of the budgets of its own users only; what is full is full for alice alone.
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    for (name, what, least) in BUDGETS {
        let held = alice.start(&[], &greedy(what));
        let count = |user: &User<'_>| {
            let done = attempt(user, what);
            let first = done.text().lines().next().and_then(|line| line.parse::<u64>().ok());
            first.unwrap_or_else(|| panic!("{name}: {done:?}"))
        };
        // There is nothing left for her own other processes.
        assert!(count(&alice) < least, "{name}: the attack does not take it all");
        assert!(count(&bob) >= least, "{name}");
        drop(held);
    }
}

#[test]
fn every_user_has_an_id_of_its_own_that_no_account_of_the_host_has() {
    let bench = bench::shared();
    let users: Vec<User<'_>> = (0..4).map(|_| bench.user()).collect();
    let mut ids: Vec<u64> = users
        .iter()
        .map(|user| {
            let id: u64 = user.run("id -u").success().parse().unwrap();
            assert_eq!((user.ssh_in("one", "id -u").success(), user.uid()), (id.to_string(), id));
            id
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), users.len());
    let on_host = bench.root("cut -d: -f3 /etc/passwd");
    assert!(ids.iter().all(|id| on_host.lines().all(|held| held != id.to_string())), "{ids:?}");
    // As the host sees the process.
    let user = bench.user();
    let held = user.start(&[], "echo ready; exec sleep 1234");
    let real =
        bench.root(&format!("docker top {} -eo pid,uid,args | awk '/sleep 123[4]/ {{ print $2 }}'", user.container()));
    assert_eq!(real, user.uid().to_string());
    drop(held);
}

#[test]
fn a_home_from_before_users_had_ids_of_their_own_is_handed_over() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    user.run("mkdir ~/d; echo kept >~/d/kept").success();
    let uid = user.uid();
    bench.root(&format!("podspawn stop {}", user.name));
    eventually("the session is gone", || user.sessions().is_empty());
    bench.root(&format!("chown -R 2000:2000 /var/lib/podspawn/homes/{}", user.name));
    let look = "cat ~/d/kept; id -u; stat -c %u ~ ~/d ~/d/kept";
    assert_eq!(user.run(look).quiet_success(), format!("kept\n{uid}\n{uid}\n{uid}\n{uid}"));
}
