//! The engine's API with nothing between: a connection for each call, as podspawn makes them too.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

const SOCKET: &str = "/run/docker.sock";

/// The body of the answer, as it comes.
pub(crate) fn call(method: &str, path: &str, body: Option<&Value>) -> Result<String> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = UnixStream::connect(SOCKET).context(SOCKET)?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer of the engine")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{method} {path}: {status}: {}", body.trim_end());
    }
    Ok(body.to_owned())
}

/// The id of what the call made.
pub(crate) fn created(method: &str, path: &str, body: &Value) -> Result<String> {
    let answer = call(method, path, Some(body))?;
    let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{path}: {answer}"))?;
    answer["Id"].as_str().map(ToOwned::to_owned).with_context(|| format!("{path}: no id"))
}
