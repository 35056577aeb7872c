//! `podspawn spawn`: the command that sshd forces for every podspawn user.
//!
//! Unprivileged, synchronous and small: it asks the broker for a channel into the user's container, hands its own
//! stdin, stdout and stderr to the process there, and waits. It copies the bytes of a terminal only. It never names the
//! store, the engine or the session modules.

mod agent;
mod connection;
mod drain;
mod error;
mod final_message;
mod flow;
mod message;
mod request;
mod user_commands;

use crate::{
    client::{CallError, Client},
    domain::Outcome,
    protocol::{
        stream::{self, Kind, NoStream},
        varlink::{AttachReply, methods::Attach},
    },
    sys::{descriptor, signals},
};
use error::SpawnError;
use request::Request;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    stdio,
};
use std::{io::IsTerminal, os::fd::OwnedFd, path::Path, process::ExitCode, time::Duration};

/// Exit code of our own failures, as for ssh(1).
const FAILED: u8 = 255;

/// Longest silence of the broker. While it works it reports progress every few seconds, so a longer silence means that it
/// hangs.
const BROKER_TIMEOUT: Duration = Duration::from_secs(20);

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ssh alice@host                                        # sshd runs this for it\n  \
                  ssh -o SetEnv=PODSPAWN_PROJECT=backend alice@host\n  \
                  ssh alice@host podspawn help                          # list, status and stop, for a user's own sessions"
)]
pub struct Options {
    /// Accepted for compatibility; refused if it is not your own name
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The project whose container to enter [default: `PODSPAWN_PROJECT`]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// The broker's socket
    #[arg(long, hide = true, default_value = crate::protocol::varlink::SOCKET_PATH)]
    socket: std::path::PathBuf,
}

/// Attempts at a broker that exits before it answers.
const ATTEMPTS: u32 = 3;

/// Runs the verb; the exit code is that of the process in the container.
#[must_use]
pub fn run(options: Options) -> ExitCode {
    if let Some(code) = user_commands::answer(&options.socket, options.project.as_deref()) {
        return code;
    }
    match session(options) {
        Ok(Outcome::Exited(code)) => ExitCode::from(code),
        Ok(killed @ Outcome::Killed(signal)) => {
            // sshd then reports the signal to the client, as it does without podspawn.
            signals::die_of(signal.into());
            ExitCode::from(killed.shell_code())
        }
        Err(error) => {
            message::print(&error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

fn session(options: Options) -> Result<Outcome, SpawnError> {
    // The kernel refuses to send descriptors beyond the sender's limit, counting those of every process of the uid.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let request = Request::from_environment(options.user, options.project)?;
    if !request.terminal {
        check_streams()?;
    } else if let Some(remark) = &request.remark {
        message::print(remark);
    }
    let (channel, session) = attach(&options.socket, &request)?;
    connection::Connection::start(channel, &request)?.run().map_err(|error| match error {
        SpawnError::Gone => final_message::of(options.socket, session),
        other => other,
    })
}

/// Checks that the container will accept this process's streams, before the container is requested or created. The guest
/// checks them again: other programs can call the broker as well.
fn check_streams() -> Result<(), NoStream> {
    let streams = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    let kinds = streams.map(|fd| descriptor::kind(fd).unwrap_or(Kind::Other));
    stream::check(kinds)
}

/// Asks the broker for a channel, and shows the progress on a terminal. The second value is the session's id.
fn attach(socket: &Path, request: &Request) -> Result<(OwnedFd, Option<String>), SpawnError> {
    // For a session with a terminal only: in a script's output progress would be noise.
    let mut display = super::progress::Display::new(request.terminal && std::io::stderr().is_terminal());
    let mut ask = || {
        Client::connect(socket, BROKER_TIMEOUT)?.call_with_progress::<Attach>(
            &request.parameters,
            |reply: AttachReply| {
                if let Some(step) = reply.progress {
                    display.show(&step);
                }
            },
        )
    };
    let mut result = ask();
    // The next connection starts the broker again, which finds in its state what it had begun.
    for _ in 1..ATTEMPTS {
        match &result {
            Err(CallError::Broken(_)) => result = ask(),
            _ => break,
        }
    }
    display.clear();
    let (reply, mut fds) = result?;
    match (reply.channel_fd, fds.pop(), fds.is_empty()) {
        (Some(0), Some(channel), true) => Ok((channel, reply.session)),
        _ => Err(SpawnError::NoChannel),
    }
}
