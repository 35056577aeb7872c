//! A first process of a container that plays the guest, and lies.

use podspawn::{
    domain::ChannelId,
    protocol::{
        guest::{FromBroker, FromGuest, GUEST_SOCKET_DIR, GUEST_SOCKET_NAME, PROTOCOL},
        packet,
    },
    sys::seqpacket::{self, Received},
};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Names so many channels that do not exist, and reports their ends, again and again. It takes the first channel that the
/// broker opens, holds it for a while, and lets it go; from then on it lies only.
pub(super) fn lie(channels: u64, hold_ms: u64) -> Value {
    let path = Path::new(GUEST_SOCKET_DIR).join(GUEST_SOCKET_NAME);
    let address = SocketAddrUnix::new(&path).unwrap();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let mut buffer = vec![0; packet::MAX_PACKET_BYTES];
    let mut held: Option<(ChannelId, Vec<_>, Instant)> = None;
    loop {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        if rustix::net::connect(&socket, &address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        }
        let say = |packet: &FromGuest| seqpacket::send(&socket, &packet::encode(packet).unwrap(), &[]);
        let invented = (1..=channels).map(ChannelId);
        let named = invented.clone().chain(held.iter().map(|(channel, ..)| *channel)).collect();
        let mut alive = say(&FromGuest::Hello { protocol: PROTOCOL, release: "liar".into(), channels: named }).is_ok();
        for channel in invented {
            alive &= matches!(say(&FromGuest::Closed { channel, outcome: None }), Ok(()) | Err(Errno::AGAIN));
        }
        let end = Instant::now() + Duration::from_millis(300);
        while alive && Instant::now() < end {
            match seqpacket::receive(&socket, &mut buffer) {
                Ok(Received::Packet(bytes, fds)) => {
                    if let Ok(FromBroker::Open(open)) = packet::decode(&buffer[..bytes]) {
                        held = Some((open.channel, fds, Instant::now() + Duration::from_millis(hold_ms)));
                    }
                }
                Err(Errno::AGAIN) => std::thread::sleep(Duration::from_millis(5)),
                _ => alive = false,
            }
            if held.as_ref().is_some_and(|(.., until)| *until <= Instant::now())
                && let Some((channel, ..)) = held.take()
            {
                alive &= say(&FromGuest::Closed { channel, outcome: None }).is_ok();
            }
        }
    }
}
