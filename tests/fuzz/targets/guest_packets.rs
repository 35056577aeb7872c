//! Packets of the guest channel, in every direction: what is read is written the same, and is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podspawn::protocol::{
    guest::{FromBroker, FromGuest, FromSpawn, ToSpawn},
    packet::{MAX_PACKET_BYTES, decode, encode},
};

macro_rules! check {
    ($packet:ty, $bytes:expr) => {
        if let Ok(message) = decode::<$packet>($bytes) {
            let written = encode(&message).expect("what fits a packet fits a packet");
            assert!(written.len() <= MAX_PACKET_BYTES);
            let again = decode::<$packet>(&written).expect("what was written is read");
            assert_eq!(format!("{message:?}"), format!("{again:?}"));
        }
    };
}

fuzz_target!(|bytes: &[u8]| {
    check!(FromBroker, bytes);
    check!(FromGuest, bytes);
    check!(FromSpawn, bytes);
    check!(ToSpawn, bytes);
});
