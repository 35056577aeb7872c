//! podspawn's SFTP server beside OpenSSH's: the same requests on the same files, answer by answer.
//!
//! The texts of a status may differ, and what [`differences`] lists; nothing else. After each script the files are compared
//! as well. The scripts run as the user who runs the tests, and where that is root as an unprivileged user too.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod answer;
mod chance;
mod differences;
mod scripts;
mod server;
mod tree;

use server::{Server, Talk};
use std::collections::BTreeSet;
use tree::Tree;

/// A script: what is asked, given a way to ask.
type Script = Box<dyn Fn(&mut Talk)>;

/// The answers of `server` to `script` on fresh files, and what the files are afterwards.
fn transcript(server: &Server, identity: u32, script: impl Fn(&mut Talk)) -> Vec<String> {
    let tree = Tree::new(identity);
    let mut talk = Talk::start(server, &tree);
    script(&mut talk);
    let mut lines = talk.finish();
    lines.extend(tree.describe());
    lines
}

/// Who the servers run as: this process, and where it is root an account without rights.
fn identities() -> Vec<u32> {
    let own = rustix::process::getuid().as_raw();
    if own == 0 { vec![0, 65534] } else { vec![own] }
}

/// Where the two servers' lines differ, without what is listed. What is used of the list is added to `used`.
fn compare(name: &str, theirs: &[String], ours: &[String], used: &mut BTreeSet<usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    for at in 0..theirs.len().max(ours.len()) {
        let line = |lines: &[String]| lines.get(at).map_or("(nothing)", String::as_str).to_owned();
        let (theirs, ours) = (line(theirs), line(ours));
        if theirs == ours {
            continue;
        }
        match differences::find(name, &theirs, &ours) {
            Some(place) => {
                used.insert(place);
            }
            None => wrong.push(format!("{name}:\n  OpenSSH  {theirs}\n  podspawn {ours}")),
        }
    }
    wrong
}

#[test]
fn every_answer_is_openssh_s() {
    let (openssh, podspawn) = (Server::openssh(), Server::podspawn());
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for identity in identities() {
        for (name, script) in scripts::all() {
            let theirs = transcript(&openssh, identity, &script);
            let ours = transcript(&podspawn, identity, &script);
            assert!(theirs.len() > 1, "{name} asks nothing");
            wrong.extend(compare(&format!("{name} as {identity}"), &theirs, &ours, &mut used));
        }
    }
    assert!(wrong.is_empty(), "{} answers differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(used.is_superset(&differences::certain()), "a difference that is listed does not show any more");
}

#[test]
fn every_answer_to_requests_by_chance_is_openssh_s() {
    let (openssh, podspawn) = (Server::openssh(), Server::podspawn());
    for identity in identities() {
        for seed in 1..=40 {
            let theirs = transcript(&openssh, identity, |talk| chance::play(talk, seed));
            let ours = transcript(&podspawn, identity, |talk| chance::play(talk, seed));
            let wrong = compare(&format!("seed {seed} as {identity}"), &theirs, &ours, &mut BTreeSet::new());
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            assert!(theirs.len() > chance::REQUESTS, "seed {seed} ended early");
        }
    }
}

#[test]
fn the_text_of_a_status_is_the_systems_own() {
    let podspawn = Server::podspawn();
    let tree = Tree::new(rustix::process::getuid().as_raw());
    let mut talk = Talk::start(&podspawn, &tree);
    for (path, text) in [("missing", "No such file or directory"), ("file/x", "Not a directory")] {
        talk.stat(path.as_bytes());
        assert_eq!(talk.last_text(), text);
    }
    talk.mkdir(b"dir", None);
    assert_eq!(talk.last_text(), "File exists");
    talk.rmdir(b"dir");
    assert_eq!(talk.last_text(), "Directory not empty");
}

#[test]
fn without_descriptors_an_open_fails_and_the_server_goes_on() {
    let podspawn = Server::podspawn().with_descriptors(32);
    let tree = Tree::new(rustix::process::getuid().as_raw());
    let mut talk = Talk::start(&podspawn, &tree);
    let handles: Vec<_> = (0..50).map(|_| talk.open(b"file", 1)).collect();
    assert_ne!(handles[20], b"none");
    assert_eq!(handles[40], b"none");
    assert_eq!(talk.last_text(), "Too many open files");
    talk.close(&handles[3]);
    assert_eq!(talk.open(b"file", 1), handles[3]);
}
