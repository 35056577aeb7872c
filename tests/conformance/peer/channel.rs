//! What a user says by hand who does without `podspawn spawn`: a channel of the broker's, and any descriptor on it.

use super::BROKER;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use podspawn::{
    client::Client,
    protocol::{
        guest::{FromSpawn, ToSpawn},
        packet,
        varlink::{AttachParameters, methods::Attach},
    },
    sys::{
        pty,
        seqpacket::{self, Received},
    },
};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll},
    fs::{CWD, FileType, MemfdFlags, Mode, OFlags, inotify, memfd_create, mknodat},
    io::Errno,
    net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg},
    pipe::{PipeFlags, pipe_with},
    process::{PidfdFlags, pidfd_open},
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{IoSlice, Read as _},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

/// Most descriptors of one message (`SCM_MAX_FD`).
const MAX_IN_ONE: usize = 253;
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Every kind of descriptor that a user of the host can make.
pub(crate) const NO_STREAMS: [&str; 21] = [
    "directory",
    "file",
    "memfd",
    "namespace",
    "pidfd",
    "eventfd",
    "epoll",
    "inotify",
    "named pipe",
    "zero",
    "terminal",
    "master",
    "stream socket",
    "listening socket",
    "unconnected socket",
    "packet socket",
    "tcp socket",
    "name of a directory",
    "name of the null device",
    "name of a pipe",
    "name of a named pipe",
];

/// A descriptor of a kind, and what has to stay open for it.
fn make(kind: &str, directory: &Path) -> (OwnedFd, Option<OwnedFd>) {
    let open = |path: &str| -> OwnedFd { File::open(path).unwrap().into() };
    let name = |path: &str| rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let socket = |family, kind| rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    let pair = |kind| rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    let fifo = directory.join("fifo");
    let _ = mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o666), 0);
    let fifo = fifo.to_str().unwrap();
    let fd = match kind {
        "directory" => open("/"),
        "file" => open("/etc/passwd"),
        "memfd" => memfd_create("x", MemfdFlags::CLOEXEC).unwrap(),
        "namespace" => open("/proc/self/ns/net"),
        "pidfd" => pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap(),
        "eventfd" => eventfd(0, EventfdFlags::CLOEXEC).unwrap(),
        "epoll" => epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(),
        "inotify" => inotify::init(inotify::CreateFlags::CLOEXEC).unwrap(),
        "named pipe" => rustix::fs::open(fifo, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap(),
        "zero" => open("/dev/zero"),
        "terminal" | "master" => {
            let pty::Pty { master, slave, .. } = pty::open().unwrap();
            return if kind == "master" { (master, Some(slave)) } else { (slave, Some(master)) };
        }
        "stream socket" | "packet socket" => {
            let (one, other) = pair(if kind == "stream socket" { SocketType::STREAM } else { SocketType::SEQPACKET });
            return (one, Some(other));
        }
        "listening socket" => {
            let listening = socket(AddressFamily::INET, SocketType::STREAM);
            rustix::net::listen(&listening, 1).unwrap();
            listening
        }
        "unconnected socket" => socket(AddressFamily::UNIX, SocketType::STREAM),
        "tcp socket" => socket(AddressFamily::INET, SocketType::STREAM),
        "name of a directory" => name("/"),
        "name of the null device" => name("/dev/null"),
        "name of a pipe" => {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            return (name(&format!("/proc/self/fd/{}", reader.as_raw_fd())), Some(writer));
        }
        "name of a named pipe" => name(fifo),
        "null" => open("/dev/null"),
        "pipe" => {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            return (reader, Some(writer));
        }
        other => panic!("{other} is no kind"),
    };
    (fd, None)
}

fn attach(command: &str) -> OwnedFd {
    let mut client = Client::connect(Path::new(BROKER), Duration::from_secs(60)).unwrap();
    let parameters = AttachParameters {
        user: None,
        project: None,
        command: Some(BASE64_STANDARD.encode(command)),
        environment: BTreeMap::default(),
    };
    let (_, mut fds) = client.call_with_progress::<Attach>(&parameters, |_| ()).unwrap();
    fds.pop().unwrap()
}

fn send(channel: &OwnedFd, packet: &FromSpawn, fds: &[BorrowedFd<'_>]) {
    let bytes = packet::encode(packet).unwrap();
    send_bytes(channel, &bytes, fds).unwrap();
}

fn send_bytes(channel: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_IN_ONE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)));
    sendmsg(channel, &[IoSlice::new(bytes)], &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).map(drop)
}

/// What the guest says next; `closed` if it has hung up, `silence` if nothing comes.
fn hear(channel: &OwnedFd) -> String {
    if poll(&mut [PollFd::new(channel, PollFlags::IN)], Some(&PATIENCE)) == Ok(0) {
        return "silence".to_owned();
    }
    let mut buffer = vec![0; 4096];
    match seqpacket::receive(channel, &mut buffer) {
        Ok(Received::Packet(bytes, _)) => match packet::decode::<ToSpawn>(&buffer[..bytes]).unwrap() {
            ToSpawn::Failed(text) => text,
            other => format!("{other:?}"),
        },
        _ => "closed".to_owned(),
    }
}

/// Begins a process with each of `kinds` as each of its streams: what the guest said, and what the process printed.
pub(super) fn streams(kinds: &[String], command: &str) -> Value {
    let directory = std::env::temp_dir().join(format!("podspawn-peer-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut found = Map::new();
    for kind in kinds {
        for place in 0..3 {
            let channel = attach(command);
            let (fd, _held) = make(kind, &directory);
            let quiet = make("null", &directory).0;
            let (output, ours) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let mut fds = [quiet.as_fd(), ours.as_fd(), ours.as_fd()];
            fds[place] = fd.as_fd();
            send(&channel, &FromSpawn::Start { terminal: None, agent: false }, &fds);
            drop((ours, quiet));
            let said = hear(&channel);
            let mut printed = String::new();
            if said != "silence" {
                // Until every writer has gone: the process as well.
                let _ = File::from(output).read_to_string(&mut printed);
            }
            found.insert(format!("{kind} {place}"), json!([said, printed]));
        }
    }
    let _ = std::fs::remove_dir_all(&directory);
    Value::Object(found)
}

/// Sends what no spawn would on channels whose process runs: what the guest did about each.
pub(super) fn misplaced() -> Value {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let many: Vec<BorrowedFd<'_>> = (0..MAX_IN_ONE).map(|_| writer.as_fd()).collect();
    let three = [reader.as_fd(), writer.as_fd(), writer.as_fd()];
    let start = FromSpawn::Start { terminal: None, agent: false };
    let begun = || {
        let channel = attach("exec sleep 1000");
        send(&channel, &start, &three);
        assert_eq!(hear(&channel), "Started");
        channel
    };
    let mut found = Map::new();
    let mut end = |what: &str, channel: &OwnedFd| {
        found.insert(what.to_owned(), json!(hear(channel)));
    };
    for (what, fds) in [("none", &many[..0]), ("one", &many[..1]), ("two", &many[..2]), ("four", &many[..4])] {
        let channel = attach("exec sleep 1000");
        send(&channel, &start, fds);
        end(what, &channel);
    }
    let channel = attach("exec sleep 1000");
    send(&channel, &start, &many);
    end("as many as fit", &channel);
    let channel = begun();
    send(&channel, &FromSpawn::Signal(28), &three[..1]);
    end("with a signal", &channel);
    let channel = begun();
    send(&channel, &start, &three);
    end("a second start", &channel);
    Value::Object(found)
}

/// Sends descriptors that no process receives until the kernel refuses, prints `ready`, and keeps them in flight for a while.
pub(super) fn in_flight(hold_ms: u64) -> Value {
    let mut pairs = vec![seqpacket::pair(SocketFlags::CLOEXEC).unwrap()];
    let null = File::open("/dev/null").unwrap();
    let fds: Vec<BorrowedFd<'_>> = (0..MAX_IN_ONE).map(|_| null.as_fd()).collect();
    let mut sent = 0;
    let refused = loop {
        match send_bytes(&pairs.last().unwrap().0, b"x", &fds) {
            Ok(()) => sent += MAX_IN_ONE,
            Err(Errno::AGAIN | Errno::NOBUFS) => pairs.push(seqpacket::pair(SocketFlags::CLOEXEC).unwrap()),
            Err(error) => break error.to_string(),
        }
        if sent > 100_000 {
            break "nothing".to_owned();
        }
    };
    println!("\nready");
    std::thread::sleep(Duration::from_millis(hold_ms));
    json!({ "sent": sent, "refused": refused })
}
