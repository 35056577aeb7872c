//! The whole guest in a thread, with this test as broker and as spawn, and a temporary directory as its root.
//!
//! It is not PID 1 here and the login is the account that runs the tests, so no privilege is needed; what depends on either is
//! tried in real containers.

mod idle;
mod streams;
mod versions;

use super::{
    config::GuestConfig,
    packets::{self, Incoming},
    supervisor::Supervisor,
};
use crate::{
    domain::{ChannelId, Outcome},
    protocol::{
        guest::{FromBroker, FromGuest, FromSpawn, Login, Open, PROTOCOL, Program, Terminal, TerminalModes, ToSpawn},
        packet::Versioned,
    },
    sys::seqpacket,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

/// The next packet, which must come soon; `None` at the end.
fn next<T: Versioned>(socket: &OwnedFd) -> Option<(T, Vec<OwnedFd>)> {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).unwrap(), 1, "nothing came");
    match packets::receive(socket) {
        Incoming::Message(message, fds) => Some((message, fds)),
        Incoming::Closed => None,
        _ => panic!("garbage or nothing"),
    }
}

fn listen(directory: &Path) -> OwnedFd {
    let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    let new = directory.join("new");
    rustix::net::bind(&listener, &SocketAddrUnix::new(&new).unwrap()).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    std::fs::rename(new, directory.join("broker.sock")).unwrap();
    listener
}

struct Bench {
    directory: tempfile::TempDir,
    broker: OwnedFd,
    listener: OwnedFd,
}

struct Client {
    socket: OwnedFd,
    id: ChannelId,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        for made in ["etc", "home/alice", "tmp"] {
            std::fs::create_dir_all(root.join(made)).unwrap();
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        std::fs::write(root.join("etc/passwd"), format!("alice:x:{uid}:{gid}::/home/alice:/bin/sh\n")).unwrap();
        std::os::unix::fs::symlink("/bin", root.join("bin")).unwrap();
        let listener = listen(directory.path());
        let config = GuestConfig {
            root,
            socket: directory.path().join("broker.sock"),
            environment: vec![("IMAGE".into(), "yes".into()), ("PATH".into(), std::env::var_os("PATH").unwrap())],
            uid: None,
            home: None,
            dotfiles: None,
            is_init: false,
        };
        // It ends with the test process; nothing outside of the process can stop it.
        std::thread::spawn(move || Supervisor::new(config).unwrap().run());
        let (broker, channels) = accept(&listener);
        assert!(channels.is_empty());
        Self { directory, broker, listener }
    }

    fn open(&self, id: u64, program: Program) -> Client {
        let (ours, theirs) = seqpacket::pair(SocketFlags::empty()).unwrap();
        let login = Login { name: "alice".parse().unwrap(), shell: "/bin/bash".into() };
        let environment = vec![(b"LANG".to_vec(), b"C".to_vec())];
        let open = FromBroker::Open(Open { channel: ChannelId(id), login, program, environment });
        packets::send(&self.broker, &open, &[theirs.as_fd()]).unwrap();
        Client { socket: ours, id: ChannelId(id) }
    }

    fn command(&self, id: u64, command: &str) -> Client {
        self.open(id, Program::Command(command.into()))
    }

    fn event(&self) -> FromGuest {
        next(&self.broker).unwrap().0
    }

    fn closed(&self, client: &Client, outcome: Option<Outcome>) {
        assert_eq!(self.event(), FromGuest::Closed { channel: client.id, outcome });
    }
}

fn accept(listener: &OwnedFd) -> (OwnedFd, Vec<ChannelId>) {
    accept_speaking(PROTOCOL, listener)
}

/// As a broker of an earlier version does, or of this one.
fn accept_speaking(protocol: u32, listener: &OwnedFd) -> (OwnedFd, Vec<ChannelId>) {
    let broker = rustix::net::accept(listener).unwrap();
    let Some((FromGuest::Hello { protocol: PROTOCOL, channels, .. }, _)) = next(&broker) else { panic!("no greeting") };
    packets::send(&broker, &FromBroker::Welcome { protocol }, &[]).unwrap();
    (broker, channels)
}

impl Client {
    /// Starts on pipes: standard input, output and error as the client holds them.
    fn start(&self, agent: bool) -> [File; 3] {
        let (input, our_input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (our_output, output) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (our_error, error) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let fds = [input.as_fd(), output.as_fd(), error.as_fd()];
        packets::send(&self.socket, &FromSpawn::Start { terminal: None, agent }, &fds).unwrap();
        [our_input, our_output, our_error].map(File::from)
    }

    fn said(&self) -> ToSpawn {
        next(&self.socket).unwrap().0
    }
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_command_has_the_clients_streams_and_ends_with_its_code() {
    let bench = Bench::new();
    let client = bench.command(1, "cat; echo \"$IMAGE $LANG $USER $0\" >&2; pwd >&2; exit 3");
    let [mut input, output, error] = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    input.write_all(b"in").unwrap();
    drop(input);
    assert_eq!(text(output), "in");
    let error = text(error);
    let home = bench.directory.path().join("root/home/alice");
    assert_eq!(error, format!("yes C alice sh\n{}\n", home.canonicalize().unwrap().display()));
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Exited(3)));
    assert!(next::<ToSpawn>(&client.socket).is_none());
    bench.closed(&client, Some(Outcome::Exited(3)));
}

#[test]
fn a_terminal_is_controlled_by_the_shell_and_hangs_up_with_its_client() {
    let bench = Bench::new();
    let client = bench.open(1, Program::Shell);
    let modes = TerminalModes {
        input: libc::ICRNL,
        output: libc::OPOST,
        control: libc::CS8 | libc::CREAD,
        local: libc::ISIG | libc::ICANON,
        characters: [0; 19],
    };
    let terminal = Terminal { rows: 12, columns: 34, x_pixels: 0, y_pixels: 0, modes };
    packets::send(&client.socket, &FromSpawn::Start { terminal: Some(terminal), agent: false }, &[]).unwrap();
    let Some((ToSpawn::Master, fds)) = next(&client.socket) else { panic!("no master") };
    let [master] = <[OwnedFd; 1]>::try_from(fds).unwrap();
    let mut master = File::from(master);
    master.write_all(b"stty size < /dev/tty; echo en''d\n").unwrap();
    let mut shown = Vec::new();
    while !shown.windows(3).any(|window| window == b"end") {
        let mut bytes = [0; 512];
        let length = master.read(&mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..length]);
    }
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("12 34"), "{shown}");
    // As when spawn is killed.
    drop(master);
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Killed(1)));
    bench.closed(&client, Some(Outcome::Killed(1)));
}

#[test]
fn a_client_that_goes_away_takes_its_process_group_with_it() {
    let bench = Bench::new();
    let client = bench.command(1, "trap 'echo hup; exit' HUP; echo ready; while :; do sleep 0.05; done");
    let [_input, mut output, _error] = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    let mut ready = [0; 6];
    output.read_exact(&mut ready).unwrap();
    let Client { socket, id } = client;
    drop(socket);
    assert_eq!(bench.event(), FromGuest::Closed { channel: id, outcome: None });
    assert_eq!(text(output), "hup\n");
}

#[test]
fn the_broker_closes_one_channel_or_all() {
    let bench = Bench::new();
    let clients: Vec<_> = (1..=3).map(|id| bench.command(id, "sleep 100")).collect();
    for client in &clients {
        client.start(false);
        assert_eq!(client.said(), ToSpawn::Started);
    }
    packets::send(&bench.broker, &FromBroker::Close { channel: Some(ChannelId(2)) }, &[]).unwrap();
    bench.closed(&clients[1], None);
    assert!(next::<ToSpawn>(&clients[1].socket).is_none());
    packets::send(&bench.broker, &FromBroker::Close { channel: None }, &[]).unwrap();
    let mut closed = [bench.event(), bench.event()];
    closed.sort_by_key(|event| matches!(event, FromGuest::Closed { channel: ChannelId(3), .. }));
    let expected = [1, 3].map(|id| FromGuest::Closed { channel: ChannelId(id), outcome: None });
    assert_eq!(closed, expected);
}

#[test]
fn channels_outlive_the_broker_and_are_in_the_greeting_to_the_next() {
    let Bench { directory, broker, listener } = Bench::new();
    let bench = Bench { directory, broker, listener };
    let client = bench.command(9, "read line; exit 4");
    let [mut input, _output, _error] = client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    let Bench { directory, broker, listener } = bench;
    drop((broker, listener));
    std::thread::sleep(Duration::from_millis(1200));
    let begin = Instant::now();
    let listener = listen(directory.path());
    let (broker, channels) = accept(&listener);
    assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
    assert_eq!(channels, [ChannelId(9)]);
    input.write_all(b"go\n").unwrap();
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Exited(4)));
    Bench { directory, broker, listener }.closed(&client, Some(Outcome::Exited(4)));
}

#[test]
fn an_agent_is_reached_inside_and_gone_with_its_channel() {
    let bench = Bench::new();
    let client = bench.command(1, "echo \"$SSH_AUTH_SOCK\"; read line");
    let [input, mut output, _error] = client.start(true);
    assert_eq!(client.said(), ToSpawn::Started);
    let mut path = [0; 64];
    let length = output.read(&mut path).unwrap();
    let path = std::str::from_utf8(&path[..length]).unwrap().trim().to_owned();
    let path = super::files::under(&bench.directory.path().join("root"), Path::new(&path));
    let mut inside = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let Some((ToSpawn::Agent, fds)) = next(&client.socket) else { panic!("no connection") };
    let [outside] = <[OwnedFd; 1]>::try_from(fds).unwrap();
    inside.write_all(b"hello").unwrap();
    drop(inside);
    assert_eq!(text(File::from(outside)), "hello");
    drop(input);
    assert!(matches!(client.said(), ToSpawn::Ended(_)));
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn what_is_malformed_ends_its_own_channel_and_no_other() {
    let bench = Bench::new();
    let good = bench.command(1, "read line");
    let [input, _output, _error] = good.start(false);
    assert_eq!(good.said(), ToSpawn::Started);
    let garbage = bench.command(2, "true");
    seqpacket::send(&garbage.socket, &[0xff; 4096], &[]).unwrap();
    bench.closed(&garbage, None);
    let fdless = bench.command(3, "true");
    packets::send(&fdless.socket, &FromSpawn::Start { terminal: None, agent: false }, &[]).unwrap();
    bench.closed(&fdless, None);
    let nul = bench.command(4, "a\0b");
    assert!(matches!(nul.said(), ToSpawn::Failed(_)));
    bench.closed(&nul, None);
    drop(input);
    assert!(matches!(good.said(), ToSpawn::Ended(_)));
}

#[test]
fn a_broker_that_speaks_nonsense_is_left_and_tried_again() {
    let bench = Bench::new();
    seqpacket::send(&bench.broker, &[0xff; 100], &[]).unwrap();
    assert!(next::<FromGuest>(&bench.broker).is_none());
    let begin = Instant::now();
    accept(&bench.listener);
    assert!(begin.elapsed() > Duration::from_millis(500));
}

#[test]
fn a_program_that_cannot_run_is_reported_in_words() {
    let bench = Bench::new();
    let root = bench.directory.path().join("root");
    std::fs::remove_file(root.join("bin")).unwrap();
    for (id, command, text) in
        [(1, "tool", "this image has no shell, and no program tool"), (2, "./tool", "cannot run ./tool")]
    {
        let client = bench.command(id, command);
        client.start(false);
        let said = match client.said() {
            ToSpawn::NotFound(said) if id == 1 => said,
            ToSpawn::Failed(said) if id == 2 => said,
            other => panic!("{other:?}"),
        };
        assert!(said.starts_with(text), "{said}");
        bench.closed(&client, None);
    }
}

#[test]
fn a_signal_reaches_the_process_and_one_that_is_not_permitted_does_not() {
    let bench = Bench::new();
    let client = bench.command(1, "sleep 100");
    client.start(false);
    assert_eq!(client.said(), ToSpawn::Started);
    packets::send(&client.socket, &FromSpawn::Signal(9), &[]).unwrap();
    packets::send(&client.socket, &FromSpawn::Signal(15), &[]).unwrap();
    assert_eq!(client.said(), ToSpawn::Ended(Outcome::Killed(15)));
    bench.closed(&client, Some(Outcome::Killed(15)));
}
