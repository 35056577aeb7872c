//! Packets: one message each, bounded before it is parsed.

use serde::{Serialize, de::DeserializeOwned};

/// Largest packet, in bytes. A command line is at most 128 KiB (execve(2)); a packet must fit an unprivileged
/// socket's send buffer (`net.core.wmem_max`, 208 KiB by default).
pub const MAX_PACKET_BYTES: usize = 192 * 1024;

/// Most file descriptors in one packet: stdin, stdout, stderr.
pub const MAX_FDS: usize = 3;

/// A message that has more variants in later versions.
pub trait Versioned: DeserializeOwned {
    /// The number of variants in this version.
    const VARIANTS: u32;
}

/// A packet that cannot be sent or read.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The message is larger than a packet may be; nothing was sent.
    #[error("a message of {0} bytes does not fit a packet of {MAX_PACKET_BYTES}")]
    TooLarge(usize),
    /// The bytes are not a message of the expected type.
    #[error("a packet that is no message")]
    Malformed(#[source] postcard::Error),
    /// The message is of a later version, which has a variant of this number.
    #[error("a packet of kind {0}, which this version does not know")]
    Unknown(u32),
}

/// The bytes of `message`.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, PacketError> {
    let bytes = postcard::to_stdvec(message).map_err(PacketError::Malformed)?;
    if bytes.len() > MAX_PACKET_BYTES { Err(PacketError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

/// The message in `bytes`; bytes behind it are an error as well.
pub fn decode<T: Versioned>(bytes: &[u8]) -> Result<T, PacketError> {
    if bytes.len() > MAX_PACKET_BYTES {
        return Err(PacketError::TooLarge(bytes.len()));
    }
    let (variant, _) = postcard::take_from_bytes::<u32>(bytes).map_err(PacketError::Malformed)?;
    if variant >= T::VARIANTS {
        return Err(PacketError::Unknown(variant));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(PacketError::Malformed(postcard::Error::DeserializeBadEncoding)),
        Err(error) => Err(PacketError::Malformed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::guest::{FromBroker, FromGuest, FromSpawn, Open, Program, ToSpawn};

    #[test]
    fn a_command_of_128_kib_fits_a_packet() {
        let open = FromBroker::Open(Open {
            channel: crate::domain::ChannelId(7),
            login: crate::protocol::guest::Login { name: "alice".parse().unwrap(), shell: "/bin/bash".into() },
            program: Program::Command(vec![0xff; 128 * 1024]),
            environment: vec![(b"LANG".to_vec(), b"C.UTF-8".to_vec())],
        });
        let bytes = encode(&open).unwrap();
        let FromBroker::Open(back) = decode(&bytes).unwrap() else { panic!("not an open") };
        assert_eq!(back.program, Program::Command(vec![0xff; 128 * 1024]));
    }

    #[test]
    fn garbage_and_trailing_bytes_are_refused() {
        assert!(decode::<FromBroker>(&[0xff; 64]).is_err());
        assert!(decode::<FromBroker>(&[]).is_err());
        let mut bytes = encode(&FromBroker::Welcome { protocol: 1 }).unwrap();
        bytes.push(0);
        assert!(decode::<FromBroker>(&bytes).is_err());
        // A length that promises more than the packet holds must not be believed.
        assert!(decode::<FromBroker>(&[1, 7, 5, b'a', 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    }

    #[test]
    fn a_kind_of_a_later_version_is_not_malformed() {
        fn next_is_unknown<T: Versioned + Serialize>(last: &T) {
            let bytes = encode(last).unwrap();
            let variant = u32::from(bytes[0]);
            assert_eq!(variant + 1, T::VARIANTS, "the last variant is another");
            assert!(decode::<T>(&bytes).is_ok());
            let later = [&[bytes[0] + 1], &bytes[1..]].concat();
            assert!(matches!(decode::<T>(&later), Err(PacketError::Unknown(number)) if number == variant + 1));
        }
        next_is_unknown(&FromBroker::End { text: "x".into() });
        next_is_unknown(&FromGuest::Idle { seconds: 1 });
        next_is_unknown(&FromSpawn::Signal(1));
        next_is_unknown(&ToSpawn::Notice("x".into()));
        assert!(matches!(decode::<FromBroker>(&[0xff; 64]), Err(PacketError::Malformed(_))));
    }
}
