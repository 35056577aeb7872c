//! Descriptors: what of the host a user can hand to the container, and what of its first process the container can take.

mod alone;

use super::{guests::carry_in, spawn_with};
use crate::{
    bench::{self, Bench, Disturbance, User, eventually},
    client::Process,
    ends::assert_one_line,
    peer::{self, Order, channel::NO_STREAMS},
};

/// A user whose account in the container has uid 0, as an image may have it.
fn user_who_is_root(bench: &Bench) -> User<'_> {
    let user = bench.user();
    let (name, image) = (&user.name, format!("podspawn-test-root-{}", user.name));
    bench.root(&format!(
        "docker rm -f {image} >/dev/null 2>&1; \
         docker run --name {image} podspawn-workload sh -c 'echo {name}:x:0:0::/root:/bin/bash >>/etc/passwd' && \
         docker commit {image} {image}:latest && docker rm {image}"
    ));
    user.set(&format!("image: {image}:latest"));
    assert_eq!(user.run("id -u").success(), "0");
    user
}

/// Removes what [`user_who_is_root`] made.
fn forget(user: &User<'_>) {
    let image = format!("podspawn-test-root-{}", user.name);
    user.bench.root(&format!("podspawn stop {} || true; rm -f /etc/podspawn/users/{0}.yaml", user.name));
    eventually("the image is free", || user.bench.bash(&[], &format!("docker rmi {image}")).code == Some(0));
}

#[test]
fn a_directory_of_the_host_does_not_become_the_containers() {
    let bench = bench::shared();
    let user = bench.user();
    let host = bench.root("cat /etc/hostname /etc/machine-id");
    for (redirection, stream) in [("</", "input"), (">/dev/null </etc", "input"), ("</dev/null 2>/etc/passwd", "")] {
        let done =
            spawn_with(&user, redirection, "cd /proc/self/fd/0/etc && cat hostname machine-id; ls /proc/self/fd/0/");
        assert_eq!((done.code == Some(0), done.text().as_str()), (false, ""), "{redirection}: {done:?}");
        assert!(!host.lines().any(|line| done.text().contains(line)), "{done:?}");
        if !stream.is_empty() {
            assert_one_line(&done);
            assert!(done.errors().contains("standard input is a directory"), "{done:?}");
        }
    }
    // No container was made for it.
    assert!(user.sessions().is_empty());
}

#[test]
fn a_file_or_a_named_pipe_of_the_host_is_refused_as_any_stream() {
    let bench = bench::shared();
    let user = bench.user();
    let place = format!("/run/podspawn-test/{}", user.name);
    bench.root(&format!(
        "rm -rf {place} && mkdir -m 0777 {place} && echo before >{place}/file && chmod 0666 {place}/file && \
         mkfifo -m 0666 {place}/fifo"
    ));
    let overwrite = "echo after >/proc/self/fd/0; echo after; echo after >&2; chmod 4755 /proc/self/fd/0";
    for (redirection, what) in [
        (format!("<{place}/file"), "standard input is a file"),
        (format!("</dev/null >>{place}/file"), "standard output is a file"),
        (format!("<>{place}/fifo"), "standard input is a named pipe"),
        (format!("</dev/null 1<>{place}/fifo"), "standard output is a named pipe"),
        ("</dev/zero".to_owned(), "standard input is a device"),
        ("</dev/null >/dev/full".to_owned(), "standard output is a device"),
    ] {
        let done = spawn_with(&user, &redirection, overwrite);
        assert_eq!((done.code, done.text().as_str()), (Some(255), ""), "{redirection}: {done:?}");
        assert_one_line(&done);
        assert!(done.errors().contains(what), "{redirection}: {done:?}");
    }
    let mine = spawn_with(&user, &format!("</dev/null 2>>{place}/file"), overwrite);
    assert_eq!(mine.code, Some(255), "{mine:?}");
    assert_eq!(
        bench.root(&format!("stat -c %a {place}/file; cat {place}/file; rm -r {place}")),
        "666\nbefore\npodspawn: standard error is a file; connect it by a pipe: a container gets pipes and /dev/null only"
    );
}

#[test]
fn a_process_that_speaks_to_the_guest_by_hand_is_refused_the_same() {
    let bench = bench::shared();
    let user = bench.user();
    let kinds = ["pipe", "null"].into_iter().chain(NO_STREAMS).map(str::to_owned).collect();
    // What a stream leads to, if it does.
    let command = "for n in 0 1 2; do ls -di /proc/self/fd/$n/ 2>/dev/null; done; echo ran".to_owned();
    let found = peer::send(&bench, &user.name, &Order::Streams { kinds, command });
    let found = found.as_object().unwrap();
    assert_eq!(found.len(), 3 * (NO_STREAMS.len() + 2));
    for (what, result) in found {
        let (said, printed) = (result[0].as_str().unwrap(), result[1].as_str().unwrap());
        if what.starts_with("pipe ") || what.starts_with("null ") {
            assert!(said == "Started" && (printed == "ran\n" || what.ends_with(" 1")), "{what}: {result}");
        } else {
            assert!(said.contains("a container gets pipes and /dev/null only"), "{what}: {result}");
            assert_eq!(printed, "", "{what}");
        }
    }
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
}

#[test]
fn descriptors_where_none_belong_end_their_own_channel_only() {
    let bench = bench::shared();
    let user = bench.user();
    let held = user.start(&[], "echo ready; exec sleep 1000");
    let found = peer::send(&bench, &user.name, &Order::Misplaced {});
    let found = found.as_object().unwrap();
    assert_eq!(found.len(), 7);
    for (what, said) in found {
        assert_eq!(said, "closed", "{what}");
    }
    eventually("one is connected", || user.connections() == 1);
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
    drop(held);
}

#[test]
fn the_hosts_null_device_keeps_its_mode_and_its_owner() {
    let bench = bench::shared();
    let user = user_who_is_root(&bench);
    let state = "stat -c '%a %u %g' /dev/null";
    let before = bench.root(state);
    let _mended = Disturbance::of(&bench, "true", "chmod 0666 /dev/null && chown 0:0 /dev/null");
    let done = spawn_with(
        &user,
        "</dev/null",
        "for n in 0 1 2; do chmod 0640 /proc/self/fd/$n; chown 7:7 /proc/self/fd/$n; done; stat -Lc %a /proc/self/fd/0",
    );
    // What it changed is the container's own.
    assert_eq!((done.code, done.text().as_str()), (Some(0), "640\n"), "{done:?}");
    assert_eq!(bench.root(state), before);
    forget(&user);
}

/// Tries to get at the first process in every way that the kernel has; prints what was refused and what was not.
const TAKE: &str = r#"
for file in environ maps mem auxv fd/0 fd/3; do
    head -c 1 /proc/1/$file 2>&1 >/dev/null | grep -q denied || echo "opened $file"
done
for link in exe cwd root fd/0 fd/3; do readlink /proc/1/$link && echo "followed $link"; done 2>/dev/null
perl -e '
    my ($ptrace, $read) = `uname -m` =~ /x86_64/ ? (101, 310) : (117, 270);
    use Errno;
    sub try {
        my ($what, $number, @arguments) = @_;
        my $got = syscall($number, @arguments);
        print "$what: $got $!\n" unless $got < 0 && $!{EPERM};
    }
    try("ptrace", $ptrace, 16, 1, 0, 0);
    try("seize", $ptrace, 0x4206, 1, 0, 0);
    my $buffer = "x" x 8;
    my $vector = pack("JJ", unpack("J", pack("P", $buffer)), 8);
    try("process_vm_readv", $read, 1, $vector, 1, $vector, 1, 0);
    my $pidfd = syscall(434, 1, 0);
    try("pidfd_getfd $_", 438, $pidfd, $_, 0) for 0 .. 8;
'
echo done
"#;

#[test]
fn a_containers_root_cannot_take_the_first_process() {
    let bench = bench::shared();
    let user = user_who_is_root(&bench);
    // With a process of another of its channels, whose descriptors are in the first one's hands.
    let held = user.start(&[], "echo ready; exec sleep 1000");
    let taken = user.run(TAKE);
    assert_eq!((taken.code, taken.text().as_str()), (Some(0), "done\n"), "{taken:?}");
    // Its own processes are its own, though.
    assert_eq!(user.run("head -c 4 /proc/$$/environ >/dev/null && ls /proc/$$/fd | head -1").quiet_success(), "0");
    assert_eq!(user.run("echo fine").quiet_success(), "fine");
    drop(held);
    forget(&user);
}
