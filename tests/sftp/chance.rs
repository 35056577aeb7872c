//! Requests by chance: well formed, over a few names and handles, so that they meet each other.

use crate::server::{Body, FSETSTAT, FSTAT, READLINK, RENAME, SETSTAT, SYMLINK, Talk, strings};

/// Requests of one script.
pub(crate) const REQUESTS: usize = 200;

const NAMES: [&[u8]; 16] = [
    b"file",
    b"other",
    b"twin",
    b"dir",
    b"dir/one",
    b"dir/below",
    b"empty",
    b"a",
    b"b",
    b"dir/a",
    b"a/b",
    b"to-file",
    b"to-dir",
    b"dangling",
    b"foreign",
    b"./file",
];

/// Numbers by xorshift: the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

pub(crate) fn play(talk: &mut Talk, seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut handles: Vec<Vec<u8>> = vec![b"none".to_vec()];
    // A copy that fails is a listed difference, so it is between files that can be read and written.
    let mut whole: Vec<Vec<u8>> = Vec::new();
    for _ in 0..REQUESTS {
        let (name, second) = (chance.of(&NAMES), chance.of(&NAMES));
        let place = chance.below(handles.len());
        let handle = handles[place].clone();
        let offset = chance.of(&[0, 3, 10, 70_000]);
        let attributes = match chance.below(5) {
            0 => Body::default().u32(1).u64(chance.of(&[0, 7, 70_000])),
            1 => Body::default().u32(4).u32(chance.of(&[0o644, 0o600, 0o755, 0o444])),
            2 => Body::default().u32(8).u32(5).u32(chance.of(&[6, 1_500_000_000])),
            3 => Body::default().u32(2).u32(u32::MAX).u32(u32::MAX),
            _ => Body::default().u32(5).u64(1).u32(0o700),
        };
        match chance.below(20) {
            0 | 1 => {
                let flags = chance.of(&[1, 2, 3, 3, 6, 0x0a, 0x1b, 0x2b, 0x0e]);
                let handle = talk.open(name, flags);
                if flags & 3 == 3 && handle != b"none" {
                    whole.push(handle.clone());
                }
                handles.push(handle);
            }
            2 => {
                talk.close(&handle);
                // The same name may be given to another file.
                handles.retain(|other| *other != handle);
                handles.push(b"none".to_vec());
                whole.retain(|other| *other != handle);
            }
            3 => talk.read(&handle, offset, chance.of(&[0, 5, 100_000])),
            4 | 5 => talk.write(&handle, offset, chance.of(&[&b""[..], b"x", b"hello", &[9; 5000]])),
            6 => talk.stat(name),
            7 => talk.lstat(name),
            8 => talk.on(FSTAT, "FSTAT", &handle),
            9 => {
                let body = Body([strings(&[name]).0, attributes.0].concat());
                talk.ask(SETSTAT, body, &format!("SETSTAT {}", name.escape_ascii()));
            }
            10 => {
                let body = Body([strings(&[&handle]).0, attributes.0].concat());
                talk.ask(FSETSTAT, body, &format!("FSETSTAT {}", handle.escape_ascii()));
            }
            11 => {
                let body = Body([strings(&[name]).0, attributes.0].concat());
                talk.extended("lsetstat@openssh.com", &body, &name.escape_ascii().to_string());
            }
            12 => {
                let listed = talk.open_dir(name);
                talk.read_dir(&listed);
                talk.close(&listed);
            }
            13 => talk.remove(name),
            14 => {
                talk.mkdir(name, Some(0o755));
                talk.rmdir(second);
            }
            15 => talk.real_path(name),
            16 => talk.two(RENAME, "RENAME", name, second),
            17 => {
                let kind = chance.of(&["posix-rename@openssh.com", "hardlink@openssh.com"]);
                let what = format!("{} {}", name.escape_ascii(), second.escape_ascii());
                talk.extended(kind, &strings(&[name, second]), &what);
            }
            18 => {
                talk.two(SYMLINK, "SYMLINK", name, second);
                talk.ask(READLINK, strings(&[second]), "READLINK");
            }
            _ => {
                if let [from, .., to] = whole.as_slice() {
                    let (from, to) = (from.clone(), to.clone());
                    talk.copy(&from, offset, chance.of(&[0, 4, 70_000]), &to, offset);
                }
            }
        }
    }
}
