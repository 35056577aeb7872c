//! systemd's user database: it knows LDAP, homed and dynamic users, and answers without loading a module.
//!
//! One Varlink call on a blocking socket: a JSON object and a NUL there, one back.

use super::account::{Account, Answer, DEADLINE};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The service that asks all others; only its "no" is final.
const SERVICE: &str = "io.systemd.Multiplexer";
const SOCKET: &str = "run/systemd/userdb/io.systemd.Multiplexer";
const NO_RECORD: &str = "io.systemd.UserDatabase.NoRecordFound";
/// Largest reply, in bytes: a homed record with keys and pictures is a few KiB.
const MAX_REPLY_BYTES: usize = 256 * 1024;

/// The key of a lookup.
pub(super) enum Key<'a> {
    Uid(u32),
    Name(&'a str),
}

/// The fields of a JSON user record that make an account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserRecord {
    user_name: String,
    uid: u32,
    gid: Option<u32>,
    home_directory: Option<PathBuf>,
    shell: Option<PathBuf>,
}

/// Whether there is an account of `key`, whatever its name is; an error means that the database did not answer.
pub(super) fn exists(root: &Path, key: &Key<'_>) -> Answer<()> {
    Ok(record(root, key)?.map(drop))
}

/// The account of `key`; an error means that the database did not answer.
pub(super) fn user(root: &Path, key: &Key<'_>) -> Answer<Account> {
    let Some(record) = record(root, key)? else { return Ok(None) };
    let record: UserRecord = serde_json::from_value(record)?;
    let Ok(name) = record.user_name.parse() else { return Ok(None) };
    let home = record.home_directory.unwrap_or_else(|| format!("/home/{name}").into());
    Ok(Some(Account {
        uid: record.uid,
        // systemd's own defaults for a record that does not say (JSON_USER_RECORDS).
        gid: record.gid.unwrap_or(record.uid),
        home,
        shell: record.shell.unwrap_or_else(|| "/bin/sh".into()),
        name,
    }))
}

fn record(root: &Path, key: &Key<'_>) -> Answer<Value> {
    let parameters = match key {
        Key::Uid(uid) => json!({"uid": uid, "service": SERVICE}),
        Key::Name(name) => json!({"userName": name, "service": SERVICE}),
    };
    call(root, "io.systemd.UserDatabase.GetUserRecord", &parameters)
}

/// The gid of the group `name`; an error means that the database did not answer.
pub(super) fn group(root: &Path, name: &str) -> Answer<u32> {
    let parameters = json!({"groupName": name, "service": SERVICE});
    let Some(record) = call(root, "io.systemd.UserDatabase.GetGroupRecord", &parameters)? else { return Ok(None) };
    if record.get("groupName").and_then(Value::as_str) != Some(name) {
        return Ok(None);
    }
    Ok(record.get("gid").and_then(Value::as_u64).and_then(|gid| gid.try_into().ok()))
}

/// The record in the reply; `None` if there is none.
fn call(root: &Path, method: &str, parameters: &Value) -> Answer<Value> {
    let deadline = Instant::now() + DEADLINE;
    let mut stream = open(&root.join(SOCKET))?;
    let mut message = serde_json::to_vec(&json!({"method": method, "parameters": parameters}))?;
    message.push(0);
    stream.write_all(&message)?;
    let mut reply: Value = serde_json::from_slice(&read_message(&mut stream, deadline)?)?;
    match reply.get("error").and_then(Value::as_str) {
        Some(NO_RECORD) => Ok(None),
        Some(error) => Err(io::Error::other(format!("systemd's user database says {error}"))),
        None => Ok(Some(reply["parameters"]["record"].take())),
    }
}

/// A connection whose every step is bounded; connecting blocks while the backlog is full.
fn open(path: &Path) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(DEADLINE))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

fn read_message(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of zero would be none.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let read = match stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        };
        match read.iter().position(|byte| *byte == 0) {
            Some(end) => {
                message.extend_from_slice(&read[..end]);
                return Ok(message);
            }
            None => message.extend_from_slice(read),
        }
        if message.len() > MAX_REPLY_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a reply without an end"));
        }
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
