//! The README's chapter *Troubleshoot* has every line that somebody may be shown instead of a session, word for word.
//!
//! The lines are read out of the sources: a new one that the chapter does not have fails here, as does one that is
//! listed below and is gone.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{collections::BTreeSet, fs, path::Path};

/// Where lines for users are written.
const SOURCES: &[&str] = &[
    "src/broker/connection.rs",
    "src/broker/methods/sessions.rs",
    "src/broker/prepare.rs",
    "src/broker/serve.rs",
    "src/client.rs",
    "src/command/spawn.rs",
    "src/command/spawn/connection.rs",
    "src/command/spawn/last_word.rs",
    "src/command/spawn/request.rs",
    "src/guest/channel.rs",
    "src/guest/dotfiles.rs",
    "src/guest/login.rs",
    "src/guest/persistent.rs",
    "src/guest/process.rs",
    "src/guest/shell.rs",
    "src/policy/denial.rs",
    "src/protocol/stream.rs",
    "src/session/ending.rs",
    "src/session/error.rs",
    "src/session/expire.rs",
    "src/session/idle.rs",
    "src/sys/passing.rs",
];

/// What these sources say to nobody, to the log, or to who types a command of podspawn's.
const NOT_FOR_USERS: &[&str] = &[
    "ending idle connections",
    "every subnet of the pool is in use",
    "every user id of security.uid_range … is in use",
    "finding this executable",
    // Nothing builds images yet, so that nothing can be missing.
    "image not pre-built, run podspawn update-project …",
    "network.pool … overlaps the route to …",
    "no socket was passed; the broker is started by podspawn-broker.socket: systemctl start podspawn-broker.socket",
    "preparing the socket",
    "starting the runtime",
    "stopped by the engine, exit code …",
    "taking the socket from systemd",
    "the container's guest is silent",
    "the grace period is over",
    "the last connection ended",
    "the last container cannot be removed",
    "the host's accounts",
    "the persistent home",
    "the state database",
    "writing that the session is abandoned",
    "writing that the session runs",
];

/// The string literals of Rust code, without those of comments and of the tests below it.
fn literals(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (mark, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match mark {
            b'/' if behind.starts_with('/') => behind.split_once('\n').map_or("", |(_, next)| next),
            // A quote as a character.
            b'\'' if behind.starts_with("\"'") => &behind[2..],
            b'"' => {
                let mut text = String::new();
                let mut characters = behind.char_indices();
                let mut end = behind.len();
                while let Some((place, c)) = characters.next() {
                    match c {
                        '"' => {
                            end = place + 1;
                            break;
                        }
                        '\\' => match characters.next().unwrap().1 {
                            '\n' => {
                                let next = characters.as_str().trim_start();
                                characters = behind.char_indices();
                                // Behind the indentation of the next line.
                                characters.nth(behind[..behind.len() - next.len()].chars().count() - 1);
                            }
                            'n' => text.push('\n'),
                            escaped => text.push(escaped),
                        },
                        c => text.push(c),
                    }
                }
                found.push(text);
                &behind[end..]
            }
            _ => behind,
        };
    }
    found
}

/// A format's text as the README has it: `…` for what is put in.
fn shown(format: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for c in format.replace("{{", "\u{1}").replace("}}", "\u{2}").chars() {
        match c {
            '{' => {
                depth += 1;
                text.push('…');
            }
            '}' => depth -= 1,
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

/// A line that somebody reads has words in it.
fn is_prose(text: &str) -> bool {
    text.split(' ')
        .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_alphabetic() || ",;:'".contains(c)))
        .count()
        > 2
}

fn lines() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = SOURCES.iter().flat_map(|source| literals(&fs::read_to_string(root.join(source)).expect(source)));
    // What has several lines is a help text.
    texts.filter(|text| is_prose(text) && !text.contains('\n')).map(|text| shown(&text)).collect()
}

#[test]
fn every_line_that_a_user_may_be_shown_is_explained() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let chapter = readme.split("\n## Troubleshoot\n").nth(1).expect("the chapter");
    let chapter = chapter.split("\n## ").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = lines();
    assert!(lines.len() > 40, "{lines:#?}");
    let missing: Vec<_> = lines
        .iter()
        .filter(|line| !chapter.contains(line.trim_matches('…')) && !NOT_FOR_USERS.contains(&&***line))
        .collect();
    assert!(missing.is_empty(), "not in the README's chapter Troubleshoot: {missing:#?}");
    let gone: Vec<_> = NOT_FOR_USERS.iter().filter(|line| !lines.contains(**line)).collect();
    assert!(gone.is_empty(), "nobody says that any more: {gone:#?}");
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let code = "a(\"one {x}\", '\"', \"two \\\"quoted\\\"\"); // \"not this\"\n/// \"nor this\"\nf(\"three \\\n      four\")\n\
                #[cfg(test)] g(\"no\")";
    let texts: Vec<_> = literals(code).iter().map(|text| shown(text)).collect();
    assert_eq!(texts, ["one …", "two \"quoted\"", "three four"]);
}

#[test]
fn what_clients_of_other_kinds_print_is_in_the_chapter() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let chapter = readme.split("\n## Troubleshoot\n").nth(1).unwrap().split("\n## ").next().unwrap();
    // The suite of refusals has the first three from OpenSSH's own client.
    for words in [
        "administratively prohibited: open failed",
        "stdio forwarding failed",
        "remote port forwarding failed for listen port",
        "X11 forwarding request failed",
        "Tunnel forwarding failed",
        "Nothing received from server on UDP port",
        "Missing privilege separation directory: /run/sshd",
    ] {
        assert!(chapter.contains(words), "{words}");
    }
}
