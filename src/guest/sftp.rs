//! An SFTP server (protocol version 3) on standard input and output, for images without one.
//!
//! It runs as the user, in a process of its own, and may do what that user may do: it checks bounds, not rights.
//! File names are bytes from end to end. (`russh-sftp` has them as text and replaces what is not UTF-8, so that such a
//! file can be neither fetched nor removed, and two of them are one; hence this server.)

mod attributes;
mod extensions;
mod failure;
mod files;
mod handles;
mod listing;
mod realpath;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    fs::File,
    io::{self, Read, Write},
};

/// Serves until the client closes its end.
///
/// # Errors
///
/// A client that breaks the framing, or a connection that breaks.
pub fn run() -> io::Result<()> {
    let input = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    let output = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/".into());
    let user = std::env::var_os("USER").unwrap_or_default();
    serve(input, output, server::Server::new(user, home))
}

/// Serves `input` to its end and throws the answers away.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz(input: &[u8]) {
    let _ = serve(input, io::sink(), server::Server::new("user".into(), "/work".into()));
}

/// Answers are gathered up to this size while further requests are at hand, to spare system calls.
const GATHER_BYTES: usize = 256 * 1024;

fn serve(mut input: impl Read, mut output: impl Write, mut server: server::Server) -> io::Result<()> {
    let mut received = wire::Inbox::new();
    let mut answers = Vec::new();
    loop {
        while let Some(packet) = received.next()? {
            server.answer(packet, &mut answers);
            if answers.len() >= GATHER_BYTES {
                output.write_all(&answers)?;
                answers.clear();
            }
        }
        output.write_all(&answers)?;
        answers.clear();
        if !received.fill(&mut input)? {
            return Ok(());
        }
    }
}
