//! A blocking Varlink client of the broker.
//!
//! For processes that live as long as one connection and must stay small: no runtime, one call at a time.

use crate::protocol::varlink::{
    Call, DENIED, MAX_REPLY_BYTES, NO_SUCH_SESSION, PERMISSION_DENIED, Reason, UNAVAILABLE,
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The broker decided against it; the text is for the user.
    #[error("{0}")]
    Denied(String),
    /// The broker could not do it now; the text is for the user.
    #[error("{0}")]
    Unavailable(String),
    /// The broker replied with another error.
    #[error("the broker answered {0}")]
    Failed(String),
    /// No process listens.
    #[error("the podspawn broker cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The connection broke before the reply arrived.
    #[error("the podspawn broker went away: {0}")]
    Broken(#[source] io::Error),
    /// No reply arrived within this time.
    #[error("the podspawn broker did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The message is no reply.
    #[error("the podspawn broker answered something unexpected")]
    Malformed(#[source] serde_json::Error),
    /// The reply exceeds [`MAX_REPLY_BYTES`].
    #[error("the reply of the podspawn broker is larger than {} MiB", MAX_REPLY_BYTES >> 20)]
    TooLarge,
}

#[derive(Serialize)]
struct Message<'a, P> {
    method: &'a str,
    parameters: &'a P,
    more: bool,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    parameters: Option<&'a serde_json::value::RawValue>,
    #[serde(default)]
    continues: bool,
    error: Option<String>,
}

/// One connection to the broker.
pub struct Client {
    stream: UnixStream,
    timeout: Duration,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Client {
    /// Connects; `timeout` bounds each wait for the next reply.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, CallError> {
        let stream = UnixStream::connect(path).map_err(CallError::Unreachable)?;
        stream.set_read_timeout(Some(timeout)).map_err(CallError::Unreachable)?;
        stream.set_write_timeout(Some(timeout)).map_err(CallError::Unreachable)?;
        Ok(Self { stream, timeout, buffer: Vec::new(), fds: Vec::new() })
    }

    /// Calls the method `C`; returns its reply.
    pub fn call<C: Call>(&mut self, parameters: &C::Parameters) -> Result<C::Reply, CallError> {
        self.call_with_progress::<C>(parameters, |_| ()).map(|(reply, _)| reply)
    }

    /// Calls the method `C` and gives each reply but the last to `progress`; returns the last and its descriptors.
    pub fn call_with_progress<C: Call>(
        &mut self,
        parameters: &C::Parameters,
        mut progress: impl FnMut(C::Reply),
    ) -> Result<(C::Reply, Vec<OwnedFd>), CallError> {
        let message = Message { method: C::METHOD.name(), parameters, more: true };
        let mut bytes = serde_json::to_vec(&message).map_err(CallError::Malformed)?;
        bytes.push(0);
        self.stream.write_all(&bytes).map_err(|error| self.io_error(error))?;
        loop {
            let message = self.receive()?;
            let reply: Reply<'_> = serde_json::from_slice(&message).map_err(CallError::Malformed)?;
            let parameters = reply.parameters.map_or("{}", |raw| raw.get());
            if let Some(name) = reply.error {
                return Err(refusal(name, parameters));
            }
            let value = serde_json::from_str(parameters).map_err(CallError::Malformed)?;
            if !reply.continues {
                return Ok((value, std::mem::take(&mut self.fds)));
            }
            progress(value);
        }
    }

    fn io_error(&self, error: io::Error) -> CallError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => CallError::TimedOut(self.timeout),
            _ => CallError::Broken(error),
        }
    }

    /// The next message, without its NUL.
    fn receive(&mut self) -> Result<Vec<u8>, CallError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == 0) {
                let rest = self.buffer.split_off(end + 1);
                let mut message = std::mem::replace(&mut self.buffer, rest);
                message.pop();
                return Ok(message);
            }
            if self.buffer.len() > MAX_REPLY_BYTES {
                return Err(CallError::TooLarge);
            }
            let mut chunk = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received = rustix::io::retry_on_intr(|| {
                recvmsg(&self.stream, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)
            });
            let bytes = received.map_err(|error| self.io_error(error.into()))?.bytes;
            for part in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = part {
                    self.fds.extend(fds);
                }
            }
            if bytes == 0 {
                return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            self.buffer.extend_from_slice(&chunk[..bytes]);
        }
    }
}

fn refusal(name: String, parameters: &str) -> CallError {
    let reason = serde_json::from_str::<Reason>(parameters).map(|reason| reason.reason);
    match (name.as_str(), reason) {
        (DENIED | NO_SUCH_SESSION, Ok(reason)) => CallError::Denied(reason),
        (UNAVAILABLE, Ok(reason)) => CallError::Unavailable(reason),
        (PERMISSION_DENIED, _) => {
            CallError::Denied("that is for root, members of podspawn-admin, and users about themselves".to_owned())
        }
        _ => CallError::Failed(name),
    }
}
