//! The loader of a program: a static one has none, any other one at a path.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
};

/// The header of a 64-bit little-endian file, as elf(5) has it.
const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 6] = *b"\x7fELF\x02\x01";
/// One entry of the table of segments.
const SEGMENT_BYTES: usize = 56;
const PT_INTERP: u32 = 3;
/// More segments than a linker makes.
const MAX_SEGMENTS: u16 = 256;
/// Longest path of a loader (`PATH_MAX`).
const MAX_PATH_BYTES: u64 = 4096;

/// The loader that the program in `file` asks for. `None`: it asks for none, or it is no program for a 64-bit
/// little-endian processor, which are the only ones that podspawn is built for.
pub fn interpreter(file: &File) -> io::Result<Option<String>> {
    let mut header = [0; HEADER_BYTES];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    if header[..MAGIC.len()] != MAGIC {
        return Ok(None);
    }
    let (table, size, count) = (long(&header, 32), short(&header, 54), short(&header, 56));
    for number in 0..count.min(MAX_SEGMENTS) {
        let mut segment = [0; SEGMENT_BYTES];
        let place = table.saturating_add(u64::from(number) * u64::from(size));
        file.read_exact_at(&mut segment, place)?;
        if segment[..4] == PT_INTERP.to_le_bytes() {
            let length = long(&segment, 32).min(MAX_PATH_BYTES);
            let mut path = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut path, long(&segment, 8))?;
            return Ok(Some(String::from_utf8_lossy(&path).trim_end_matches('\0').to_owned()));
        }
    }
    Ok(None)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn of(bytes: &[u8]) -> io::Result<Option<String>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        interpreter(&file)
    }

    #[test]
    fn a_program_with_a_loader_is_distinguished_from_one_without() {
        let dynamic = interpreter(&File::open("/bin/sh").unwrap()).unwrap().unwrap();
        assert!(dynamic.starts_with('/') && dynamic.contains("ld-"), "{dynamic}");
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(interpreter(&own).unwrap(), None);
    }

    #[test]
    fn what_is_no_program_or_is_cut_short_does_not_panic() {
        for bytes in [&b""[..], b"#!/bin/sh\n", &[0; 64]] {
            assert_eq!(of(bytes).unwrap(), None);
        }
        let whole = std::fs::read("/bin/sh").unwrap();
        assert!(of(&whole[..100]).is_err());
        // Every number of the header at its largest.
        let mut header = [0xff; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        assert!(of(&header).is_err());
    }
}
