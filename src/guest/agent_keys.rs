//! Asking the SSH agent for its keys from inside a container, for images that have no `ssh-add`.
//!
//! One question of draft-miller-ssh-agent: `SSH_AGENTC_REQUEST_IDENTITIES`. It runs as the user, as `ssh-add -L` would.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// `SSH_AGENTC_REQUEST_IDENTITIES` as a message: its length, then its number.
const REQUEST: [u8; 5] = [0, 0, 0, 1, 11];
/// `SSH_AGENT_IDENTITIES_ANSWER`.
const ANSWER: u8 = 12;
/// Largest answer, in bytes; OpenSSH's own bound.
const MAX_BYTES: u32 = 256 * 1024;
/// How long an agent may take: it is at the other end of the user's connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prints each key of the agent in base64, a line each.
///
/// # Errors
///
/// No agent, or none that answers.
pub fn run() -> io::Result<()> {
    let path = std::env::var_os("SSH_AUTH_SOCK")
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "SSH_AUTH_SOCK is not set: no agent was forwarded"))?;
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stdout = io::stdout().lock();
    for key in ask(stream)? {
        writeln!(stdout, "{}", BASE64_STANDARD.encode(key))?;
    }
    Ok(())
}

fn ask(mut agent: impl Read + Write) -> io::Result<Vec<Vec<u8>>> {
    agent.write_all(&REQUEST)?;
    let mut length = [0; 4];
    agent.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_BYTES {
        return Err(malformed());
    }
    let mut answer = Vec::new();
    agent.take(length.into()).read_to_end(&mut answer)?;
    keys(&answer).ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the agent's answer is none")
}

/// The keys in an answer: each has a comment behind it.
fn keys(answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (&ANSWER, rest) = answer.split_first()? else { return None };
    let (count, mut rest) = number(rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let (key, behind) = text(rest)?;
        keys.push(key.to_vec());
        (_, rest) = text(behind)?;
    }
    Some(keys)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest))
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_an_answer_and_half_an_answer_is_none() {
        let answer = b"\x0c\0\0\0\x02\0\0\0\x03abc\0\0\0\x01x\0\0\0\x01d\0\0\0\0";
        assert_eq!(keys(answer), Some(vec![b"abc".to_vec(), b"d".to_vec()]));
        for end in 0..answer.len() {
            assert_eq!(keys(&answer[..end]), None, "{end}");
        }
        assert_eq!(keys(b"\x05"), None);
        assert_eq!(keys(b"\x0c\xff\xff\xff\xff"), None);
    }

    #[test]
    fn an_agent_that_promises_too_much_is_not_believed() {
        let (client, mut agent) = UnixStream::pair().unwrap();
        agent.write_all(b"\xff\xff\xff\xff\x0c").unwrap();
        assert!(ask(client).is_err());
        let (client, mut agent) = UnixStream::pair().unwrap();
        agent.write_all(b"\0\0\0\x05\x0c\0\0\0\0").unwrap();
        assert!(ask(client).unwrap().is_empty());
        let mut question = [0; 5];
        agent.read_exact(&mut question).unwrap();
        assert_eq!(question, REQUEST);
    }
}
