//! Packets as every release since the first writes them, byte for byte.
//!
//! A container keeps the guest that it was born with, and a broker may be replaced by an older one: what was once said
//! must mean the same for ever. The recorded bytes come from the release that first spoke them and are never made anew.

use super::{
    guest::{FromBroker, FromGuest, FromSpawn, Login, Open, Program, Terminal, TerminalModes, ToSpawn},
    packet::{Versioned, decode, encode},
};
use crate::domain::{ChannelId, Outcome};
use serde::Serialize;
use std::fmt::Debug;

/// One packet a line: its name here, then its bytes.
const PROTOCOL_1: &str = include_str!("fixtures/protocol-1.txt");
/// What the second version added.
const PROTOCOL_2: &str = include_str!("fixtures/protocol-2.txt");

/// What was recorded, as far as it has not been compared yet.
struct Recorded(Vec<(&'static str, Vec<u8>)>);

impl Recorded {
    fn read(text: &'static str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let parse = |line: &'static str| {
            let (name, hex) = line.split_once(' ').unwrap();
            let bytes = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            (name, bytes)
        };
        Self(lines.map(parse).collect())
    }

    /// What is written today is what was recorded, and what was recorded is read as what it was.
    fn compare<T: Serialize + Versioned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let place = self.0.iter().position(|(recorded, _)| *recorded == name);
        let Some((_, bytes)) = place.map(|place| self.0.remove(place)) else {
            let hex: Vec<String> = encode(value).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("not recorded: {name} {}", hex.join(" "));
        };
        assert_eq!(encode(value).unwrap(), bytes, "{name} is written differently");
        assert_eq!(decode::<T>(&bytes).unwrap(), *value, "{name} is read differently");
    }

    fn assert_all_compared(self) {
        assert!(self.0.is_empty(), "recorded and never compared: {:?}", self.0);
    }
}

fn open(channel: u64, program: Program) -> FromBroker {
    FromBroker::Open(Open {
        channel: ChannelId(channel),
        login: Login { name: "alice".parse().unwrap(), shell: "/bin/bash".into() },
        program,
        environment: vec![(b"LANG".to_vec(), b"C.UTF-8".to_vec()), (b"LC_X".to_vec(), vec![0xff, b'=', b'\n'])],
    })
}

fn hello(channels: &[u64]) -> FromGuest {
    let channels = channels.iter().map(|&channel| ChannelId(channel)).collect();
    FromGuest::Hello { protocol: 1, release: "0.1.0".into(), channels }
}

fn start(agent: bool, rows: Option<u16>) -> FromSpawn {
    let modes = TerminalModes {
        input: 0x0000_4500,
        output: 5,
        control: 0x00bf,
        local: 0x0000_8a3b,
        characters: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 255, 18, 15, 23, 22, 255, 0, 0],
    };
    let terminal = |rows| Terminal { rows, columns: 211, x_pixels: 0, y_pixels: 65_535, modes };
    FromSpawn::Start { terminal: rows.map(terminal), agent }
}

#[test]
fn protocol_1_of_broker_and_guest_is_what_it_was() {
    let mut recorded = Recorded::read(PROTOCOL_1);
    recorded.0.retain(|(name, _)| !name.contains("spawn"));
    recorded.compare("from_broker.welcome", &FromBroker::Welcome { protocol: 1 });
    recorded.compare("from_broker.open.shell", &open(1, Program::Shell));
    recorded.compare("from_broker.open.command", &open(300, Program::Command(b"printf '\xff\n'".to_vec())));
    recorded.compare("from_broker.open.sftp", &open(u64::MAX, Program::Sftp));
    recorded.compare("from_broker.close.one", &FromBroker::Close { channel: Some(ChannelId(0x0123_4567_89ab_cdef)) });
    recorded.compare("from_broker.close.all", &FromBroker::Close { channel: None });
    recorded.compare("from_broker.notice", &FromBroker::Notice { text: "5 minutes – left".into() });
    recorded.compare("from_guest.hello.alone", &hello(&[]));
    recorded.compare("from_guest.hello.again", &hello(&[0, 127, 128, u64::MAX]));
    let closed = |channel, outcome| FromGuest::Closed { channel: ChannelId(channel), outcome };
    recorded.compare("from_guest.closed.gone", &closed(9, None));
    recorded.compare("from_guest.closed.exited", &closed(u64::MAX, Some(Outcome::Exited(255))));
    recorded.compare("from_guest.closed.killed", &closed(7, Some(Outcome::Killed(15))));
    recorded.assert_all_compared();
}

#[test]
fn protocol_1_of_spawn_and_guest_is_what_it_was() {
    let mut recorded = Recorded::read(PROTOCOL_1);
    recorded.0.retain(|(name, _)| name.contains("spawn"));
    recorded.compare("from_spawn.start.streams", &start(false, None));
    recorded.compare("from_spawn.start.terminal", &start(true, Some(24)));
    recorded.compare("from_spawn.signal", &FromSpawn::Signal(15));
    recorded.compare("to_spawn.master", &ToSpawn::Master);
    recorded.compare("to_spawn.started", &ToSpawn::Started);
    recorded.compare("to_spawn.agent", &ToSpawn::Agent);
    recorded.compare("to_spawn.ended.exited", &ToSpawn::Ended(Outcome::Exited(3)));
    recorded.compare("to_spawn.ended.killed", &ToSpawn::Ended(Outcome::Killed(9)));
    recorded.compare("to_spawn.failed", &ToSpawn::Failed("cannot run ./x".into()));
    recorded.compare("to_spawn.not_found", &ToSpawn::NotFound("no program x".into()));
    recorded.compare("to_spawn.notice", &ToSpawn::Notice("a word".into()));
    recorded.assert_all_compared();
}

#[test]
fn protocol_2_is_what_it_was() {
    let mut recorded = Recorded::read(PROTOCOL_2);
    recorded.compare("from_broker.idle_timeout", &FromBroker::IdleTimeout { seconds: 900 });
    recorded.compare("from_broker.end", &FromBroker::End { text: "enough".into() });
    recorded.compare("from_guest.idle", &FromGuest::Idle { seconds: 901 });
    recorded.assert_all_compared();
}
