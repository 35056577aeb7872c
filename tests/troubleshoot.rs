//! docs/errors.md explains every message that a user may see instead of a session, word for word.
//!
//! The messages are read out of the sources and compared with the table that the page is generated from
//! (`src/command/reference/errors`): a message without an entry fails, and so does an entry without a message.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use podspawn::command::reference::errors::CHAPTERS;
use std::{collections::BTreeSet, fs, path::Path};

/// The sources of messages for users.
const SOURCES: &[&str] = &[
    "src/broker/connection.rs",
    "src/broker/methods/sessions.rs",
    "src/broker/prepare.rs",
    "src/broker/serve.rs",
    "src/client.rs",
    "src/command/spawn.rs",
    "src/command/spawn/connection.rs",
    "src/command/spawn/error.rs",
    "src/command/spawn/request.rs",
    "src/command/spawn/user_commands.rs",
    "src/guest/channel.rs",
    "src/guest/dotfiles.rs",
    "src/guest/login.rs",
    "src/guest/persistent.rs",
    "src/guest/process.rs",
    "src/guest/refusal.rs",
    "src/guest/shell.rs",
    "src/policy/denial.rs",
    "src/protocol/stream.rs",
    "src/session/deadlines.rs",
    "src/session/destroy.rs",
    "src/session/error.rs",
    "src/session/exit_cause.rs",
    "src/session/expire.rs",
    "src/session/idle.rs",
    "src/sys/passing.rs",
];

/// Texts of these sources that no user sees instead of a session: for the log, or for who runs a verb.
const NOT_FOR_USERS: &[&str] = &[
    "ending idle connections",
    "every subnet of the pool is in use",
    "every user id of security.uid_range … is in use",
    "finding this executable",
    // No verb builds images yet, so none can be missing.
    "image not pre-built, run podspawn update-project …",
    "it could not be created: …",
    "it was found half made or half removed",
    "network.pool … overlaps the route to …",
    "no socket was passed; the broker is started by podspawn-broker.socket: systemctl start podspawn-broker.socket",
    "preparing the socket",
    "recording that the session ends",
    "removing a session; trying again",
    "removing what was made",
    "starting the runtime",
    "stopped by the engine, exit code …",
    "taking the socket from systemd",
    "the audit log",
    "the container's guest is silent",
    "the grace period is over",
    "the host's accounts",
    "the last connection ended",
    "the last container cannot be removed",
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

/// A format's text as the page has it: `…` for each value.
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

/// Whether a text is a sentence and not a name, a key or a path.
fn is_prose(text: &str) -> bool {
    text.split(' ')
        .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_alphabetic() || ",;:'".contains(c)))
        .count()
        > 2
}

/// Every text of the sources. One of several lines is a help text.
fn texts() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = SOURCES.iter().flat_map(|source| literals(&fs::read_to_string(root.join(source)).expect(source)));
    texts.filter(|text| !text.contains('\n')).map(|text| shown(&text)).collect()
}

/// The messages of the page.
fn explained() -> BTreeSet<&'static str> {
    CHAPTERS.iter().flat_map(|chapter| chapter.entries).flat_map(|entry| entry.messages).copied().collect()
}

#[test]
fn every_message_that_a_user_may_see_is_explained() {
    let texts = texts();
    let messages: Vec<&String> = texts.iter().filter(|text| is_prose(text)).collect();
    assert!(messages.len() > 40, "{messages:#?}");
    let explained = explained();
    let is_known = |text: &str| explained.contains(text) || NOT_FOR_USERS.contains(&text);
    let missing: Vec<_> = messages.iter().filter(|text| !is_known(text)).collect();
    assert!(missing.is_empty(), "no entry in src/command/reference/errors: {missing:#?}");
}

#[test]
fn every_entry_has_its_message_in_the_sources() {
    let texts = texts();
    let gone: Vec<_> =
        explained().into_iter().chain(NOT_FOR_USERS.iter().copied()).filter(|text| !texts.contains(*text)).collect();
    assert!(gone.is_empty(), "no source has these messages: {gone:#?}");
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let code = "a(\"one {x}\", '\"', \"two \\\"quoted\\\"\"); // \"not this\"\n/// \"nor this\"\nf(\"three \\\n      four\")\n\
                #[cfg(test)] g(\"no\")";
    let texts: Vec<_> = literals(code).iter().map(|text| shown(text)).collect();
    assert_eq!(texts, ["one …", "two \"quoted\"", "three four"]);
}

#[test]
fn messages_of_other_clients_are_explained() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshoot.md");
    let page = fs::read_to_string(page).unwrap();
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
        assert!(page.contains(words), "{words}");
    }
}
