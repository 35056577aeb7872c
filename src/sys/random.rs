//! Random bytes from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// `N` bytes, from a generator that is seeded.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    // Up to 256 bytes come whole and no signal interrupts the call (getrandom(2)).
    const { assert!(N <= 256) };
    let mut bytes = [0; N];
    let count = getrandom(&mut bytes[..], GetRandomFlags::empty())?;
    if count == N { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_different() {
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
    }
}
