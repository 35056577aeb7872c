//! A process on the bench host that says to a socket what no client of ours would.
//!
//! It is this very test program, copied there: static, with every crate, and started with [`ORDER`] in its environment.

// Another suite includes this file by its path, and these are beside it.
#[path = "peer/channel.rs"]
pub(crate) mod channel;
#[path = "peer/liar.rs"]
mod liar;

use crate::{bench::Bench, client::Finished};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    process::Command,
    time::{Duration, Instant},
};

const PLACE: &str = "/run/podspawn-test/peer";
const ORDER: &str = "PODSPAWN_PEER";
pub(crate) const BROKER: &str = "/run/podspawn/broker.sock";

/// What it does with a socket. It prints its findings as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Sends bytes (base64) and reads until the end, or until nothing has come for so long.
    Say { socket: String, bytes: String, shut: bool, patience_ms: u64 },
    /// Sends a call with a command of so many bytes and reads as [`Order::Say`] does: as an argument, an order is too short.
    LongCommand { socket: String, method: String, length: usize },
    /// Sends bytes (base64) and counts replies until there are so many, or none has come for long.
    Ask { socket: String, bytes: String, replies: usize },
    /// Opens so many connections, says the same on each, and holds all of them for a while.
    Many { socket: String, count: usize, bytes: String, hold_ms: u64 },
    /// Repeats bytes for a while and never reads.
    Deaf { socket: String, bytes: String, hold_ms: u64 },
    /// Sends bytes (base64) and reads one reply, so many times on one connection.
    Repeat { socket: String, bytes: String, times: usize },
    /// For a while keeps so many connections open, each of which sends `beginning`, `middle` so often that it is a large
    /// message, and `end`; one that is closed is opened again.
    Hammer { socket: String, connections: usize, beginning: String, middle: String, end: String, hold_ms: u64 },
    /// Sends packets on a SEQPACKET socket for a while.
    Packets { socket: String, packets: Vec<String>, hold_ms: u64 },
    /// Runs a command in its own container with each kind of descriptor as each of the three streams.
    Streams { kinds: Vec<String>, command: String },
    /// Sends descriptors to the guest where none belong.
    Misplaced {},
    /// Has as many descriptors in flight as the kernel allows, for a while.
    InFlight { hold_ms: u64 },
    /// Plays a container's guest, names channels that do not exist, and holds the one that does for a while.
    Lie { channels: u64, hold_ms: u64 },
}

/// What [`Order::Say`] finds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) replies: Vec<Value>,
    /// Whether the other side closed the connection.
    pub(crate) closed: bool,
}

pub(crate) fn install(exec: &Command) {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut command = Command::new(exec.get_program());
    command.args(exec.get_args());
    let script = format!("cat >{PLACE}.new && chmod 0755 {PLACE}.new && mv {PLACE}.new {PLACE}");
    Finished::of(command.args(["sh", "-c", &script]), &program).success();
}

/// Sends it off as `user` of the bench host.
pub(crate) fn send(bench: &Bench, user: &str, order: &Order) -> Value {
    let order = serde_json::to_string(order).unwrap();
    let mut command = bench.command(&["-u", user]);
    let peer = [PLACE, "--exact", "peer::the_broker_describes_itself_to_every_caller", "--nocapture"];
    let done = Finished::of(command.arg("env").arg(format!("{ORDER}={order}")).args(peer), b"");
    serde_json::from_slice(&done.err).unwrap_or_else(|error| panic!("peer: {error}: {done:?}"))
}

/// One method call as `user`: every reply.
pub(crate) fn call(bench: &Bench, user: &str, method: &str, parameters: &Value) -> Vec<Value> {
    let mut bytes = json!({ "method": method, "parameters": parameters }).to_string().into_bytes();
    bytes.push(0);
    say(bench, user, &bytes, true).replies
}

/// Sends bytes to the broker as `user`. With `shut` no more will come, so that the broker closes when it has answered.
pub(crate) fn say(bench: &Bench, user: &str, bytes: &[u8], shut: bool) -> Heard {
    let (socket, bytes) = (BROKER.into(), BASE64_STANDARD.encode(bytes));
    // As an argument the order must stay below 128 KiB; long ones repeat themselves instead.
    let order = Order::Say { socket, bytes, shut, patience_ms: if shut { 30_000 } else { 1500 } };
    serde_json::from_value(send(bench, user, &order)).unwrap()
}

/// Sends calls to the broker as `user` and counts the replies, which the broker may take its time for: it answers so many
/// of one user in a second.
pub(crate) fn ask(bench: &Bench, user: &str, bytes: &[u8], replies: usize) -> u64 {
    let order = Order::Ask { socket: BROKER.into(), bytes: BASE64_STANDARD.encode(bytes), replies };
    send(bench, user, &order)["replies"].as_u64().unwrap()
}

/// Ends this process with what was found, if it was started with an order.
pub(crate) fn obey_order() {
    if let Ok(order) = std::env::var(ORDER) {
        let found = obey(serde_json::from_str(&order).unwrap());
        eprintln!("{found}");
        std::process::exit(0);
    }
}

#[test]
fn the_broker_describes_itself_to_every_caller() {
    obey_order();
    let bench = crate::bench::shared();
    let user = bench.user();
    let info = call(&bench, &user.name, "org.varlink.service.GetInfo", &json!({}));
    let interfaces = info[0]["parameters"]["interfaces"].as_array().unwrap();
    for interface in ["io.podspawn.Sessions", "org.varlink.service"] {
        assert!(interfaces.contains(&json!(interface)), "{info:?}");
    }
    let about = json!({ "interface": "io.podspawn.Sessions" });
    let description = call(&bench, &user.name, "org.varlink.service.GetInterfaceDescription", &about);
    let text = description[0]["parameters"]["description"].as_str().unwrap();
    for part in ["interface io.podspawn.Sessions", "method Attach(", "method List(", "error Denied "] {
        assert!(text.contains(part), "{text}");
    }
    let unknown = call(&bench, &user.name, "org.varlink.service.GetInterfaceDescription", &json!({"interface": "x.y"}));
    assert_eq!(unknown[0]["error"], "org.varlink.service.InterfaceNotFound");
}

fn obey(order: Order) -> Value {
    match order {
        Order::Say { socket, bytes, shut, patience_ms } => {
            let mut stream = UnixStream::connect(socket).map_err(|error| error.to_string());
            match &mut stream {
                Ok(stream) => serde_json::to_value(converse(stream, &decode(&bytes), shut, patience_ms)).unwrap(),
                Err(error) => json!({ "replies": [{ "connect": error }], "closed": true }),
            }
        }
        Order::LongCommand { socket, method, length } => {
            let command = BASE64_STANDARD.encode(vec![b'x'; length]);
            let call = json!({ "method": method, "parameters": { "environment": {}, "command": command } });
            let mut stream = UnixStream::connect(socket).unwrap();
            let bytes = [call.to_string().as_bytes(), b"\0"].concat();
            serde_json::to_value(converse(&mut stream, &bytes, true, 30_000)).unwrap()
        }
        Order::Ask { socket, bytes, replies } => {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(&decode(&bytes)).unwrap();
            let (mut buffer, mut heard) = ([0; 4096], 0);
            while heard < replies {
                let Ok(count @ 1..) = stream.read(&mut buffer) else { break };
                heard += buffer[..count].split(|byte| *byte == 0).count() - 1;
            }
            json!({ "replies": heard })
        }
        Order::Many { socket, count, bytes, hold_ms } => {
            let bytes = decode(&bytes);
            let mut streams: Vec<UnixStream> = Vec::new();
            for _ in 0..count {
                let Ok(mut stream) = UnixStream::connect(&socket) else { break };
                let _ = stream.set_nonblocking(true);
                let _ = stream.write_all(&bytes);
                streams.push(stream);
            }
            let opened = streams.len();
            std::thread::sleep(Duration::from_millis(hold_ms));
            let held = streams.iter_mut().map(is_closed).filter(|closed| !closed).count();
            json!({ "opened": opened, "held": held })
        }
        Order::Repeat { socket, bytes, times } => {
            let bytes = decode(&bytes);
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let (mut buffer, mut replies) = ([0; 4096], 0);
            while replies < times && stream.write_all(&bytes).is_ok() {
                // Descriptors that come with a reply are closed at once: they are not taken.
                let Ok(count @ 1..) = stream.read(&mut buffer) else { break };
                replies += buffer[..count].split(|byte| *byte == 0).count() - 1;
            }
            json!({ "replies": replies })
        }
        Order::Hammer { socket, connections, beginning, middle, end, hold_ms } => hammer(
            &socket,
            connections,
            &[beginning, middle.repeat(LARGE / middle.len()), end, "\0".into()].concat(),
            hold_ms,
        ),
        Order::Deaf { socket, bytes, hold_ms } => {
            let bytes = decode(&bytes);
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let (end, mut written) = (Instant::now() + Duration::from_millis(hold_ms), 0);
            while Instant::now() < end {
                match stream.write(&bytes) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return json!({ "written": written, "closed": true }),
                }
            }
            json!({ "written": written, "closed": false })
        }
        Order::Packets { socket, packets, hold_ms } => {
            let end = Instant::now() + Duration::from_millis(hold_ms);
            let address = SocketAddrUnix::new(socket).unwrap();
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let (mut connected, mut sent, mut answered, mut refused) = (0u64, 0u64, 0u64, String::new());
            while Instant::now() < end {
                let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
                if let Err(error) = rustix::net::connect(&socket, &address) {
                    refused = error.to_string();
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
                connected += 1;
                for packet in &packets {
                    sent += u64::from(rustix::net::send(&socket, &decode(packet), SendFlags::NOSIGNAL).is_ok());
                }
                std::thread::sleep(Duration::from_millis(20));
                let mut buffer = [0u8; 1024];
                let received = rustix::net::recv(&socket, &mut buffer, RecvFlags::DONTWAIT);
                answered += u64::from(received.is_ok_and(|(count, _)| count > 0));
            }
            json!({ "connected": connected, "sent": sent, "answered": answered, "refused": refused })
        }
        Order::Streams { kinds, command } => channel::streams(&kinds, &command),
        Order::Misplaced {} => channel::misplaced(),
        Order::InFlight { hold_ms } => channel::in_flight(hold_ms),
        Order::Lie { channels, hold_ms } => liar::lie(channels, hold_ms),
    }
}

fn converse(stream: &mut UnixStream, bytes: &[u8], shut: bool, patience_ms: u64) -> Heard {
    stream.set_read_timeout(Some(Duration::from_millis(patience_ms))).unwrap();
    let mut heard = Heard::default();
    // A caller that is refused unheard may find the connection gone already.
    let _ = stream.write_all(bytes);
    if shut {
        // A broker that stopped listening to us would take a closed half for our end: wait for the first answer.
        let mut message = Vec::new();
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte) {
            if byte[0] != 0 {
                message.push(byte[0]);
                continue;
            }
            let reply: Value = serde_json::from_slice(&message).unwrap_or_else(|_| json!({ "garbage": message.len() }));
            message.clear();
            let more = reply["continues"] == true;
            heard.replies.push(reply);
            if !more {
                return heard;
            }
        }
        heard.closed = true;
        return heard;
    }
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => all.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            _ => {
                heard.closed = true;
                break;
            }
        }
    }
    for message in all.split(|byte| *byte == 0).filter(|message| !message.is_empty()) {
        heard.replies.push(serde_json::from_slice(message).unwrap_or_else(|_| json!({ "garbage": message.len() })));
    }
    heard
}

/// Just below what the broker reads.
const LARGE: usize = 250_000;

fn hammer(socket: &str, connections: usize, message: &str, hold_ms: u64) -> Value {
    let end = Instant::now() + Duration::from_millis(hold_ms);
    let mut streams: Vec<(UnixStream, usize)> = Vec::new();
    let (mut opened, mut sent) = (0u64, 0u64);
    while Instant::now() < end {
        while streams.len() < connections {
            let Ok(stream) = UnixStream::connect(socket) else { break };
            let _ = stream.set_nonblocking(true);
            streams.push((stream, 0));
            opened += 1;
        }
        let mut is_stuck = true;
        // Replies are read, so that no connection waits for that.
        streams.retain_mut(|(stream, at)| match stream.write(&message.as_bytes()[*at..]) {
            _ if is_closed(stream) => false,
            Ok(count) => {
                is_stuck = false;
                sent += count as u64;
                *at = (*at + count) % message.len();
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        if is_stuck {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    json!({ "opened": opened, "sent": sent })
}

fn is_closed(stream: &mut UnixStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn decode(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}
