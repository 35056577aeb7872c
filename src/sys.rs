//! The kernel, one thing a file: sockets that carry descriptors, credentials of a peer, terminals, signals.
//!
//! This module makes no decisions. `unsafe` is allowed here and in `guest/` only; each block says why it is sound.
#![allow(unsafe_code)]

pub mod append;
pub mod child;
pub mod clock;
pub mod crash;
pub mod descriptor;
pub mod elf;
pub mod file_version;
pub mod glob;
pub mod idle;
pub mod ids;
pub mod immutable;
pub mod listening;
pub mod passing;
pub mod program;
pub mod pty;
pub mod random;
pub mod rate;
pub mod readiness;
pub mod record;
pub mod replace;
pub mod routes;
pub mod seqpacket;
pub mod signalfd;
pub mod signals;
pub mod stderr;
pub mod systemd;
pub mod tally;
pub mod terminal;
pub mod usage;
