//! The server against raw packets; real clients are tried in `tests/`.

use super::{
    serve,
    server::Server,
    wire::{self, Fields, Put},
};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// Sends requests in one go and gives the answers: type and fields behind the id.
fn ask(requests: &[(u8, Vec<u8>)]) -> Vec<(u8, Vec<u8>)> {
    let mut input = Vec::new();
    for (kind, body) in requests {
        wire::packet(&mut input, |to| {
            to.push(*kind);
            to.put_u32(7);
            to.extend_from_slice(body);
        });
    }
    let mut output = Vec::new();
    serve(input.as_slice(), &mut output, Server::new("/".into())).unwrap();
    let mut fields = Fields(&output);
    let mut answers = Vec::new();
    while let Ok(content) = fields.string() {
        let mut content = Fields(content);
        let kind = content.byte().unwrap();
        assert_eq!(content.u32().unwrap(), 7);
        answers.push((kind, content.0.to_vec()));
    }
    answers
}

fn strings(strings: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for string in strings {
        body.put_string(string);
    }
    body
}

fn path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn status(answer: &(u8, Vec<u8>)) -> u32 {
    assert_eq!(answer.0, 101, "{answer:?}");
    Fields(&answer.1).u32().unwrap()
}

const HANDLE_0: &[u8] = &[0, 0, 0, 0];

#[test]
fn a_name_that_is_not_utf_8_is_kept_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join(OsStr::from_bytes(b"\xff\xfe\n"));
    let mut open = strings(&[path(&name)]);
    open.put_u32(2 | 8);
    open.put_u32(0);
    let mut write = strings(&[HANDLE_0]);
    write.put_u64(3);
    write.put_string(b"hello");
    let answers = ask(&[
        (wire::OPEN, open),
        (wire::WRITE, write),
        (wire::CLOSE, strings(&[HANDLE_0])),
        (wire::OPENDIR, strings(&[path(dir.path())])),
        (wire::READDIR, strings(&[HANDLE_0])),
        (wire::READDIR, strings(&[HANDLE_0])),
        (wire::REMOVE, strings(&[path(&name)])),
    ]);
    assert_eq!(answers[4].0, 104);
    assert!(answers[4].1.windows(3).any(|window| window == b"\xff\xfe\n"));
    assert_eq!(status(&answers[5]), 1);
    assert_eq!(status(&answers[6]), 0);
    assert!(!name.exists());
}

#[test]
fn a_rename_replaces_nothing_and_a_posix_rename_does() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    std::fs::write(&old, "old").unwrap();
    std::fs::write(&new, "new").unwrap();
    let answers = ask(&[
        (wire::RENAME, strings(&[path(&old), path(&new)])),
        (wire::EXTENDED, strings(&[b"posix-rename@openssh.com", path(&old), path(&new)])),
    ]);
    assert_eq!((status(&answers[0]), status(&answers[1])), (4, 0));
    assert_eq!(std::fs::read(&new).unwrap(), b"old");
}

#[test]
fn a_link_is_made_in_openssh_s_order() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    let answers = ask(&[
        (wire::SYMLINK, strings(&[b"target", path(&link)])),
        (wire::READLINK, strings(&[path(&link)])),
        (wire::LSTAT, strings(&[path(&link)])),
        (wire::STAT, strings(&[path(&link)])),
    ]);
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("target"));
    assert_eq!(answers[1].0, 104);
    assert_eq!(answers[2].0, 105);
    assert_eq!(status(&answers[3]), 2);
}

#[test]
fn requests_that_are_none_get_an_answer_and_the_next_is_served() {
    let huge = vec![0xff; 8];
    let answers = ask(&[
        (wire::OPEN, huge.clone()),
        (wire::READ, strings(&[b"none"])),
        (wire::FSTAT, strings(&[b"\xff\xff\xff\xff"])),
        (99, Vec::new()),
        (wire::EXTENDED, strings(&[b"unheard-of@example.org"])),
        (wire::REALPATH, strings(&[b"/"])),
    ]);
    let codes: Vec<u32> = answers[..5].iter().map(status).collect();
    assert_eq!(codes, [5, 4, 4, 8, 8]);
    assert_eq!(answers[5].0, 104);
}

#[test]
fn a_length_that_no_packet_has_ends_the_connection() {
    for length in [0u32, 256 * 1024 + 1, u32::MAX] {
        let mut output = Vec::new();
        assert!(serve(length.to_be_bytes().as_slice(), &mut output, Server::new("/".into())).is_err());
        assert!(output.is_empty());
    }
}

#[test]
fn handles_are_bounded_and_come_back() {
    let mut open = strings(&[b"/dev/null"]);
    open.put_u32(1);
    open.put_u32(0);
    let mut requests = vec![(wire::OPEN, open.clone()); 257];
    requests.push((wire::CLOSE, strings(&[HANDLE_0])));
    requests.push((wire::OPEN, open));
    let answers = ask(&requests);
    assert_eq!(answers[255].0, 102);
    assert_eq!(status(&answers[256]), 4);
    assert_eq!(answers[258], (102, strings(&[HANDLE_0])));
}
