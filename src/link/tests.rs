mod versions;

use super::*;
use crate::{
    domain::UserName,
    protocol::{
        guest::{GUEST_SOCKET_NAME, Login, PROTOCOL, Program},
        packet::{decode, encode},
    },
    sys::seqpacket::{self, Received},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::cell::RefCell;

fn id() -> SessionId {
    SessionId::from_bits(7)
}

fn dial(root: &Path) -> OwnedFd {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(Link::directory(root, &id()).join(GUEST_SOCKET_NAME)).unwrap()).unwrap();
    socket
}

fn say(socket: &OwnedFd, packet: &FromGuest) {
    seqpacket::send(socket, &encode(packet).unwrap(), &[]).unwrap();
}

fn hello(channels: &[u64]) -> FromGuest {
    let channels = channels.iter().map(|n| ChannelId(*n)).collect();
    FromGuest::Hello { protocol: PROTOCOL + 5, release: "0.1.0".into(), channels }
}

fn hear(socket: &OwnedFd) -> Option<(FromBroker, Vec<OwnedFd>)> {
    let mut buffer = vec![0; 4096];
    match seqpacket::receive(socket, &mut buffer).unwrap() {
        Received::Packet(bytes, fds) => Some((decode(&buffer[..bytes]).unwrap(), fds)),
        Received::Closed => None,
        Received::Oversized => panic!("oversized"),
    }
}

/// Runs `test` with a link in a new directory and the log of its events.
fn with_link(test: impl AsyncFnOnce(Link, &Path, Rc<RefCell<Vec<String>>>)) {
    let root = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&log);
        let link = Link::listen(root.path(), &id(), move |event| seen.borrow_mut().push(format!("{event:?}"))).unwrap();
        test(link, root.path(), log).await;
    });
}

/// Waits until something has happened, which must be soon.
async fn until(mut has_happened: impl FnMut() -> bool) {
    let deadline = time::Instant::now() + Duration::from_secs(10);
    while !has_happened() {
        assert!(time::Instant::now() < deadline, "it does not happen");
        time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether the link has closed its end of a connection.
fn is_closed(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap();
    fds[0].revents().contains(PollFlags::HUP)
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

#[test]
fn a_guest_is_heard_once_its_process_is_known() {
    with_link(async |link, root, log| {
        let guest = dial(root);
        say(&guest, &hello(&[3]));
        // Connections are accepted in their order, and the last of these is one too many to wait.
        let others: Vec<OwnedFd> = (0..MAX_UNKNOWN).map(|_| dial(root)).collect();
        until(|| is_closed(others.last().unwrap())).await;
        assert!(!link.is_up() && log.borrow().is_empty());
        link.expect(own_pid());
        assert!(link.wait_up(Duration::from_secs(2)).await);
        let (FromBroker::Welcome { protocol }, _) = hear(&guest).unwrap() else { panic!("no welcome") };
        assert_eq!(protocol, PROTOCOL);
        say(&guest, &FromGuest::Closed { channel: ChannelId(3), outcome: Some(Outcome::Exited(0)) });
        until(|| log.borrow().len() == 2).await;
        drop(guest);
        until(|| !link.is_up()).await;
        let log = log.borrow();
        assert_eq!(log.len(), 3, "{log:?}");
        assert!(log[0].starts_with("Up") && log[1].starts_with("Closed") && log[2] == "Down", "{log:?}");
    });
}

#[test]
fn another_process_of_the_container_is_not_heard() {
    with_link(async |link, root, log| {
        link.expect(own_pid() + 1);
        let impostor = dial(root);
        say(&impostor, &hello(&[]));
        until(|| is_closed(&impostor)).await;
        assert!(!link.is_up() && log.borrow().is_empty());
    });
}

#[test]
fn a_request_carries_the_channel_to_the_guest() {
    with_link(async |link, root, _| {
        link.expect(own_pid());
        let guest = dial(root);
        say(&guest, &hello(&[]));
        assert!(link.wait_up(Duration::from_secs(2)).await);
        hear(&guest).unwrap();
        let (ours, theirs) = seqpacket::pair(SocketFlags::empty()).unwrap();
        let login = Login { name: "alice".parse::<UserName>().unwrap(), shell: "/bin/sh".into() };
        let open = Open { channel: ChannelId(9), login, program: Program::Shell, environment: Vec::new() };
        link.open(open.clone(), &theirs).unwrap();
        drop(theirs);
        assert!(matches!(hear(&guest), Some((FromBroker::IdleTimeout { seconds: 0 }, _))));
        let (FromBroker::Open(heard), mut fds) = hear(&guest).unwrap() else { panic!("no open") };
        assert_eq!(heard, open);
        seqpacket::send(fds.pop().unwrap(), b"x", &[]).unwrap();
        assert!(matches!(seqpacket::receive(&ours, &mut [0; 8]).unwrap(), Received::Packet(1, _)));
    });
}

#[test]
fn only_who_may_override_its_mode_can_connect_unless_it_is_opened() {
    with_link(async |_, root, _| {
        let path = Link::directory(root, &id()).join(GUEST_SOCKET_NAME);
        let mode = || std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        Link::open_to_all(root, &id()).unwrap();
        // The next broker finds it as the container needs it.
        let _again = Link::listen(root, &id(), |_| ()).unwrap();
        assert_eq!(mode(), 0o666);
    });
}

#[test]
fn a_flood_of_connections_is_slowed() {
    with_link(async |link, root, log| {
        link.expect(own_pid());
        let path = Link::directory(root, &id()).join(GUEST_SOCKET_NAME);
        let address = SocketAddrUnix::new(&path).unwrap();
        let flood = std::thread::spawn(move || {
            let until = std::time::Instant::now() + Duration::from_millis(500);
            while std::time::Instant::now() < until {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
                if connect(&socket, &address).is_ok() {
                    say(&socket, &hello(&[]));
                }
            }
        });
        time::sleep(Duration::from_millis(500)).await;
        let ups = log.borrow().iter().filter(|event| event.starts_with("Up")).count();
        assert!(ups <= usize::try_from(2 * RATE_CONNECTIONS).unwrap(), "{ups}");
        flood.join().unwrap();
    });
}

#[test]
fn a_guest_that_connects_again_takes_its_own_place() {
    with_link(async |link, root, log| {
        link.expect(own_pid());
        let first = dial(root);
        say(&first, &hello(&[1]));
        assert!(link.wait_up(Duration::from_secs(2)).await);
        let second = dial(root);
        say(&second, &hello(&[2]));
        until(|| log.borrow().last().unwrap().contains("ChannelId(2)")).await;
        assert!(link.is_up());
    });
}

#[test]
fn a_flood_of_packets_is_slowed_and_stops_no_other_task() {
    with_link(async |link, root, log| {
        link.expect(own_pid());
        let guest = dial(root);
        say(&guest, &hello(&[]));
        assert!(link.wait_up(Duration::from_secs(2)).await);
        let begin = time::Instant::now();
        let flood = std::thread::spawn(move || {
            let packet = encode(&FromGuest::Closed { channel: ChannelId(1), outcome: None }).unwrap();
            let until = std::time::Instant::now() + Duration::from_millis(300);
            while std::time::Instant::now() < until {
                let _ = rustix::net::send(&guest, &packet, rustix::net::SendFlags::DONTWAIT);
            }
        });
        until(|| flood.is_finished()).await;
        // One window has begun with the greeting, and one more for each second since.
        let windows = usize::try_from(begin.elapsed().as_secs()).unwrap() + 2;
        let most = windows * usize::try_from(RATE_PACKETS).unwrap() + 1;
        assert!(log.borrow().len() <= most, "{} in {:?}", log.borrow().len(), begin.elapsed());
        flood.join().unwrap();
    });
}

#[test]
fn garbage_and_descriptors_end_the_connection_only() {
    with_link(async |link, root, _| {
        link.expect(own_pid());
        for attack in 0..3 {
            let guest = dial(root);
            say(&guest, &hello(&[]));
            assert!(link.wait_up(Duration::from_secs(2)).await);
            let descriptor = rustix::stdio::stdin();
            match attack {
                0 => seqpacket::send(&guest, &[0xff; 100], &[]).unwrap(),
                1 => seqpacket::send(&guest, &vec![0; 100_000], &[]).unwrap(),
                _ => {
                    // Closing a descriptor can block for as long as its sender likes, so none may get in. Before Linux
                    // 6.16 it does, and ends the connection.
                    let sent = seqpacket::send(&guest, &encode(&hello(&[])).unwrap(), &[descriptor]);
                    if sent.is_err() {
                        assert_eq!(sent, Err(rustix::io::Errno::PERM));
                        drop(guest);
                    }
                }
            }
            until(|| !link.is_up()).await;
        }
    });
}
