//! From the Docker API's errors to what may be concluded.
//!
//! Most errors of the API differ in their text alone. The texts matched here are those of Docker 20.10 to
//! 29; one that changes falls back to `Refused` or `Other`, which conclude less, never to a wrong conclusion.

use crate::{
    domain::{Cpus, ImageRef, text::one_line},
    engine::EngineError,
};
use bollard::errors::Error;
use std::io;

/// Longest text of the engine's that is kept, in characters: a line in a log or on a terminal.
const MAX_TEXT: usize = 300;

/// The first line of a text, bounded and without control characters, which a terminal would obey.
pub(super) fn shorten(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    one_line(line).chars().take(MAX_TEXT).collect()
}

/// What an error means, where `read` knows the errors of this call by status and text.
pub(super) fn explain(error: Error, read: impl FnOnce(u16, &str) -> Option<EngineError>) -> EngineError {
    match error {
        Error::DockerResponseServerError { message, .. } if is_disk_full(&message) => EngineError::DiskFull,
        Error::DockerResponseServerError { status_code, message } => {
            read(status_code, &message).unwrap_or_else(|| general(status_code, &message))
        }
        Error::RequestTimeoutError => EngineError::timed_out("no answer before the deadline"),
        Error::SocketNotFoundError(path) => {
            EngineError::Unreachable(io::Error::new(io::ErrorKind::NotFound, format!("no socket at {path}")))
        }
        Error::IOError { err } => EngineError::Unreachable(err),
        Error::HyperLegacyError { err } => EngineError::Unreachable(lost(&err)),
        Error::HyperResponseError { err } => EngineError::Unreachable(lost(&err)),
        other => EngineError::Garbled(shorten(&other.to_string())),
    }
}

/// The operating system's error below an HTTP one, if there is any; its kind is what an operator can act on.
fn lost(error: &(dyn std::error::Error + 'static)) -> io::Error {
    let mut cause = Some(error);
    let mut text = error.to_string();
    while let Some(error) = cause {
        text = error.to_string();
        if let Some(system) = error.downcast_ref::<io::Error>() {
            return io::Error::new(system.kind(), shorten(&text));
        }
        cause = error.source();
    }
    io::Error::other(shorten(&text))
}

fn is_disk_full(message: &str) -> bool {
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

fn general(status: u16, message: &str) -> EngineError {
    if (400..500).contains(&status) {
        EngineError::Refused(shorten(message))
    } else {
        EngineError::Other { status, message: shorten(message) }
    }
}

/// Of a network's creation.
pub(super) fn network(status: u16, message: &str) -> Option<EngineError> {
    if status == 409 || (message.contains("network with name") && message.contains("already exists")) {
        return Some(EngineError::NameTaken);
    }
    // "Pool overlaps with other one on this address space"; "conflicts with network …: networks have overlapping
    // IPv4", from the bridge driver, for networks of before a restart.
    (message.contains("overlap")).then_some(EngineError::SubnetTaken)
}

/// Of a container's creation.
pub(super) fn container(status: u16, message: &str, image: &ImageRef) -> Option<EngineError> {
    match status {
        // Nothing else that a creation looks up can be absent: the network is looked up at start.
        404 => Some(EngineError::NoSuchImage(image.clone())),
        409 if message.contains("already in use") => Some(EngineError::NameTaken),
        _ => None,
    }
}

/// Whether a container was refused because its limit is above what the machine has, which is no limit at all. The
/// engine says the same of one below 0.01, which is.
pub(super) fn is_more_cpus_than_there_are(error: &Error, limit: Cpus) -> bool {
    limit.as_nanos() >= 1_000_000_000
        && matches!(error, Error::DockerResponseServerError { status_code: 400, message }
            if message.contains("ange of CPUs"))
}

/// What the runtime says of a container that it could not make into a process. The engine passes that on as its own
/// failure (500), but it is about what was asked for, and the container does not run.
const NOT_STARTED: [&str; 3] = ["OCI runtime create failed", "Decoding seccomp profile failed", "invalid tmpfs option"];

/// Of a container's start.
pub(super) fn start(status: u16, message: &str) -> Option<EngineError> {
    match status {
        404 if message.contains("o such container") => Some(EngineError::NoSuchContainer),
        404 if message.contains("network") && message.contains("not found") => Some(EngineError::NoSuchNetwork),
        // "container is marked for removal and cannot be started"
        409 if message.contains("marked for removal") => Some(EngineError::NoSuchContainer),
        _ if NOT_STARTED.iter().any(|text| message.contains(text)) => Some(EngineError::Refused(shorten(message))),
        _ => None,
    }
}

/// Of what only looks a container up.
pub(super) fn absent(status: u16, _: &str) -> Option<EngineError> {
    (status == 404).then_some(EngineError::NoSuchContainer)
}

/// Of a network's removal.
pub(super) fn network_removal(_: u16, message: &str) -> Option<EngineError> {
    message.contains("has active endpoints").then_some(EngineError::NetworkInUse)
}

/// Of a pull. The engine passes the registry's failures on as its own, so that even a 500 says that it is well.
pub(super) fn pull(error: Error, image: &ImageRef) -> EngineError {
    let message = match &error {
        Error::DockerStreamError { error } => error,
        Error::DockerResponseServerError { message, .. } => message,
        _ => return explain(error, |_, _| None),
    };
    if is_disk_full(message) {
        return EngineError::DiskFull;
    }
    EngineError::PullFailed { image: image.clone(), message: shorten(message) }
}
