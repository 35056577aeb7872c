//! What a session must be like, held against the real thing: systemd, sshd and Docker on a bench host, and OpenSSH's
//! own clients here.
//!
//! `tests/bench up` first; without a bench every test fails. Each test has accounts of its own, so that tests run side
//! by side and again on the same bench. `PODSPAWN_BENCH` names another bench script than this repository's.

// A test that cannot go on should say where and stop; its name says what it is about.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
// Expected output is written as the shell commands that print it are: line by line.
#![allow(clippy::format_collect)]

mod agent;
mod alone;
mod audit;
mod backup;
mod bench;
mod client;
mod commands;
mod doctor;
mod ends;
mod engine;
mod environment;
mod files;
mod first_connect;
mod homes;
mod hostile;
mod idle;
mod images;
mod limits;
mod logs;
mod many;
mod metrics;
mod modes;
mod own_sessions;
mod peer;
mod privileges;
mod refusals;
mod setup;
mod shell;
mod slow_reader;
mod terminal;
mod transfer;
mod users;
mod verify_image;
