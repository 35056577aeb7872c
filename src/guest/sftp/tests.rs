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
    serve(input.as_slice(), &mut output, Server::new("alice".into(), "/".into())).unwrap();
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
    assert_eq!(codes, [5, 5, 4, 8, 8]);
    assert_eq!(answers[5].0, 104);
}

#[test]
fn a_length_that_no_packet_has_ends_the_connection() {
    for length in [0u32, 256 * 1024 + 1, u32::MAX] {
        let mut output = Vec::new();
        assert!(serve(length.to_be_bytes().as_slice(), &mut output, Server::new("alice".into(), "/".into())).is_err());
        assert!(output.is_empty());
    }
}

#[test]
fn a_handle_that_is_closed_is_given_again() {
    let mut open = strings(&[b"/dev/null"]);
    open.put_u32(1);
    open.put_u32(0);
    let mut requests = vec![(wire::OPEN, open.clone()); 3];
    requests.extend([(wire::CLOSE, strings(&[HANDLE_0])), (wire::CLOSE, strings(&[HANDLE_0])), (wire::OPEN, open)]);
    let answers = ask(&requests);
    assert_eq!((status(&answers[3]), status(&answers[4])), (0, 2));
    assert_eq!(answers[5], (102, strings(&[HANDLE_0])));
}

/// The fields of a SETSTAT: what of, and the attributes as they are on the wire.
fn set(path: &[u8], attributes: &[u8]) -> Vec<u8> {
    [&strings(&[path])[..], attributes].concat()
}

#[test]
fn an_attribute_that_cannot_be_set_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let number = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    let each = [
        number(&[1, 0, 4]),
        number(&[2, 0, 0]),
        number(&[4, 0o600]),
        number(&[8, 5, 6]),
        number(&[15, 0, 4, 0, 0, 0o600, 5, 6]),
        // No owner to set is no reason to succeed with the mode.
        number(&[6, u32::MAX, u32::MAX, 0o600]),
    ];
    let asked: Vec<_> = each.iter().map(|attributes| (wire::SETSTAT, set(path(&missing), attributes))).collect();
    assert!(ask(&asked).iter().all(|answer| status(answer) == 2));
    let asked: Vec<_> = each
        .iter()
        .map(|attributes| {
            (wire::EXTENDED, [strings(&[b"lsetstat@openssh.com"]), set(path(&missing), attributes)].concat())
        })
        .collect();
    // A link has no size, so a request that sets one is none.
    assert_eq!(ask(&asked).iter().map(status).collect::<Vec<_>>(), [5, 2, 2, 2, 5, 2]);
}

#[test]
fn an_owner_of_all_ones_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut open = strings(&[path(&file)]);
    open.put_u32(2);
    open.put_u32(0);
    let owner = [[0, 0, 0, 2], [0xff; 4], [0xff; 4]].concat();
    let answers = ask(&[
        (wire::SETSTAT, set(path(&file), &owner)),
        (wire::EXTENDED, [strings(&[b"lsetstat@openssh.com"]), set(path(&file), &owner)].concat()),
        (wire::OPEN, open),
        (wire::FSETSTAT, set(HANDLE_0, &owner)),
    ]);
    assert_eq!((status(&answers[0]), status(&answers[1]), status(&answers[3])), (0, 0, 0));
}

#[test]
fn a_request_that_ends_early_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "content").unwrap();
    // A size and half of a mode.
    let body = set(path(&file), &[&[0, 0, 0, 5][..], &[0; 8], &[0, 0]].concat());
    assert_eq!(status(&ask(&[(wire::SETSTAT, body)])[0]), 5);
    assert_eq!(std::fs::read(&file).unwrap(), b"content");
}

#[test]
fn names_of_ids_are_bounded_by_a_packet() {
    let ids = vec![0; 250_000];
    let answers = ask(&[
        (wire::EXTENDED, strings(&[b"users-groups-by-id@openssh.com", &[0; 8], &[]])),
        (wire::EXTENDED, strings(&[b"users-groups-by-id@openssh.com", &ids, &[]])),
    ]);
    assert_eq!(answers[0], (201, strings(&[&strings(&[b"root", b"root"]), b""])));
    assert_eq!(status(&answers[1]), 4);
}
