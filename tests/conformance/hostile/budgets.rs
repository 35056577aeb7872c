//! What the kernel has once for all containers and the host: one tenant takes as much as it can, another needs some.

mod alone;

use crate::{
    bench::{self, Bench, DEADLINE, Disturbance, User, eventually},
    client::{Finished, Process},
};
use std::{
    io::{BufRead as _, BufReader},
    sync::mpsc::{self, Receiver},
};

/// The settings that the package brings; the bench runs none of them, since they are the whole machine's.
const SYSCTL: &str = include_str!("../../../systemd/sysctl.d/50-podspawn.conf");

/// Opens terminals until there are no more, or 600; says how many, and holds them until its stdin ends.
const TAKE_TERMINALS: &str = r#"perl -e '$| = 1; my @held;
while (@held < 600 and open(my $one, "+<", "/dev/ptmx")) { push @held, $one }
print scalar(@held), " $!\n"; <STDIN>'"#;

/// Makes contexts of asynchronous I/O, 16384 requests each, until there are no more or as many as it is given.
const TAKE_AIO: &str = r#"perl -e '$| = 1; my $made = 0;
while ($made < $ARGV[0]) { my $context = pack("Q", 0); last if syscall(206, 16384, $context) != 0; $made++ }
print "$made\n"; <STDIN>' "#;

/// A process that has taken something and holds it.
struct Taker {
    _process: Process,
    line: Receiver<String>,
}

impl Taker {
    fn start(user: &User<'_>, command: &str) -> Self {
        let (process, out) = Process::start_with_output(user.ssh(&[]).arg(command));
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(out).read_line(&mut text);
            let _ = sender.send(text.trim().to_owned());
        });
        Self { _process: process, line }
    }

    /// What it says of what it took; nothing if it ended before.
    fn says(&self) -> String {
        self.line.recv_timeout(DEADLINE).expect("it says nothing")
    }
}

#[test]
fn one_container_takes_its_own_terminals_and_no_other_ones() {
    let bench = bench::shared();
    let (alice, bob) = (bench.user(), bench.user());
    bob.run("true").success();
    let greedy = Taker::start(&alice, TAKE_TERMINALS);
    assert_eq!(greedy.says(), "256 No space left on device");
    // The guest's own refusal says whose terminals are used up.
    let refused = Finished::of(alice.ssh(&["-tt"]).arg("true"), b"");
    assert_eq!(refused.code, Some(255));
    let text = refused.text() + &refused.errors();
    assert!(text.contains("this container has as many terminals as it may have at once"), "{refused:?}");
    assert_eq!(alice.run("echo fine").quiet_success(), "fine");
    let other = Finished::of(bob.ssh(&["-tt"]).arg("tty"), b"");
    assert_eq!((other.code, other.text().trim()), (Some(0), "/dev/pts/0"), "{other:?}");
    // They are given back.
    drop(greedy);
    eventually("alice has terminals again", || Finished::of(alice.ssh(&["-tt"]).arg("true"), b"").code == Some(0));
}

#[test]
fn a_containers_file_system_of_terminals_goes_with_the_container() {
    let bench = bench::shared();
    let user = bench.user_with("mode: destroy-on-disconnect");
    let volumes = || bench.root(&format!("docker volume ls --quiet --filter label=podspawn-user={}", user.name));
    let held = user.start(&[], "echo ready; exec sleep 1000");
    assert_eq!(volumes().lines().count(), 1);
    // Not the container's root's to give more.
    let remount = user
        .inside("mount -o remount,max=100000 /dev/pts; mount -t devpts none /dev/pts; grep -c max=256 /proc/mounts");
    assert_eq!(remount.text().trim(), "1", "{remount:?}");
    drop(held);
    eventually("it is gone", || user.sessions().is_empty() && volumes().is_empty());
}

#[test]
fn volumes_of_containers_that_an_administrator_removed_are_cleaned_up() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let volumes = || bench.root(&format!("docker volume ls --quiet --filter label=podspawn-user={}", user.name));
    bench.root(&format!("docker rm --force {}", user.container()));
    eventually("the session is gone", || user.sessions().is_empty());
    eventually("a pass removes it", || {
        bench.root("podspawn cleanup");
        volumes().is_empty()
    });
}

#[test]
fn what_the_kernel_counts_by_uid_is_bounded_below_what_the_host_has() {
    let bench = bench::shared();
    let user = bench.user();
    let limits = user.run("ulimit -Hn; ulimit -Hi; ulimit -Hq").quiet_success();
    let limits: Vec<u64> = limits.lines().map(|line| line.parse().unwrap()).collect();
    let own = bench.bash(&["-u", "plain"], "ulimit -Hi; ulimit -Hq").success();
    let own: Vec<u64> = own.lines().map(|line| line.parse().unwrap_or(u64::MAX)).collect();
    assert!(limits[0] <= 16_384 / 2, "{limits:?}");
    assert!(limits[1] <= own[0] / 2 && limits[2] <= own[1] / 2, "{limits:?}, and the host {own:?}");
    assert_ne!(user.run("ulimit -Hi 100000").code, Some(0), "no process inside raises them");
}

/// The value of a setting in the package's file.
fn shipped(key: &str) -> u64 {
    let line = SYSCTL.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key}"));
    line.trim_start_matches([' ', '=']).trim().parse().unwrap()
}

/// The kernel of all hosts of this machine as the package sets it, until this is dropped.
fn set<'a>(bench: &'a Bench, key: &str) -> Disturbance<'a> {
    let file = format!("/proc/sys/{}", key.replace('.', "/"));
    let before = bench.root(&format!("cat {file}"));
    let value = shipped(key).max(before.trim().parse().unwrap());
    Disturbance::of(bench, &format!("echo {value} >{file}"), format!("echo {before} >{file}"))
}
