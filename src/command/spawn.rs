//! `podspawn spawn`: what sshd forces every podspawn user to run.
//!
//! Unprivileged, synchronous and small: it asks the broker for a channel into the user's container, hands its own
//! stdin, stdout and stderr to the process there, and waits. Only a terminal is pumped. It never names the store,
//! the engine or the session modules.

mod agent;
mod connection;
mod flow;
mod last_word;
mod own;
mod request;
mod rest;

use crate::{
    client::{CallError, Client},
    domain::{Outcome, plain, text},
    protocol::{
        stream::{self, Kind},
        varlink::{AttachReply, methods::Attach},
    },
    sys::{descriptor, signals},
};
use connection::Broken;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    stdio,
};
use std::{
    io::{IsTerminal, Write},
    os::fd::OwnedFd,
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// Exit code of our own failures, as for ssh(1).
const FAILED: u8 = 255;

/// Longest silence of the broker. It reports progress at least every few seconds while it works, so silence means
/// that it hangs.
const BROKER_TIMEOUT: Duration = Duration::from_secs(20);

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ssh alice@host                                        # sshd runs this for it\n  \
                  ssh -o SetEnv=PODSPAWN_PROJECT=backend alice@host\n  \
                  ssh alice@host podspawn help                          # what a user may do about its own sessions"
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

/// How often the broker is asked that dies before it answers.
const ATTEMPTS: u32 = 3;

/// Runs the verb; the exit code is that of the process in the container.
#[must_use]
pub fn run(options: Options) -> ExitCode {
    if let Some(code) = own::answer(&options.socket, options.project.as_deref()) {
        return code;
    }
    match session(options) {
        Ok(Outcome::Exited(code)) => ExitCode::from(code),
        Ok(killed @ Outcome::Killed(signal)) => {
            // sshd then tells the client which signal it was, as it does without podspawn.
            signals::die_of(signal.into());
            ExitCode::from(killed.shell_code())
        }
        Err(message) => {
            complain(&message);
            ExitCode::from(FAILED)
        }
    }
}

fn session(options: Options) -> Result<Outcome, String> {
    // The kernel refuses to send descriptors beyond the sender's limit, counting those of every process of the uid.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let request = request::Request::from_environment(options.user, options.project)?;
    if !request.terminal {
        check_streams()?;
    } else if let Some(remark) = &request.remark {
        complain(remark);
    }
    let (channel, session) = attach(&options.socket, &request)?;
    connection::Connection::start(channel, &request)?.run().map_err(|broken| match broken {
        Broken::Gone => last_word::of(options.socket, session),
        Broken::Said(text) => text,
    })
}

/// Checks that the container will take this process's streams, before it is asked for or even made. The guest checks
/// them again: not everything that speaks to the broker is this program.
fn check_streams() -> Result<(), String> {
    let streams = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    let kinds = streams.map(|fd| descriptor::kind(fd).unwrap_or(Kind::Other));
    stream::check(kinds).map_err(|error| error.to_string())
}

/// Asks the broker for a channel, telling a waiting human what takes so long. The second is the session's id.
fn attach(socket: &Path, request: &request::Request) -> Result<(OwnedFd, Option<String>), String> {
    // Progress would be noise in a script's output even on a terminal: only for people in a shell.
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
    // A broker that dies before it answers is started again by the next connection, and knows what it had begun.
    for _ in 1..ATTEMPTS {
        match &result {
            Err(CallError::Broken(_)) => result = ask(),
            _ => break,
        }
    }
    display.clear();
    let (reply, mut fds) = result.map_err(|error| explain(&error))?;
    match (reply.channel_fd, fds.pop(), fds.is_empty()) {
        (Some(0), Some(channel), true) => Ok((channel, reply.session)),
        _ => Err("the podspawn broker answered without a channel".to_owned()),
    }
}

/// The one line that a user sees, with what to do next where there is something to do.
fn explain(error: &CallError) -> String {
    match error {
        CallError::Unreachable(_) | CallError::Broken(_) => {
            format!("{error}; ask the administrator to look at `systemctl status podspawn-broker.socket`")
        }
        CallError::TimedOut(_) => format!("{error}; try again, then ask the administrator"),
        _ => error.to_string(),
    }
}

/// One line on stderr.
fn complain(message: &str) {
    let _ = std::io::stderr().write_all(line(message, std::io::stderr().is_terminal()).as_bytes());
}

/// What a user reads of `message`. On a terminal in raw mode a line needs its carriage return.
fn line(message: &str, on_terminal: bool) -> String {
    // Part of it may be the container's own words: nothing in it moves the cursor or turns the text around.
    let end = if on_terminal { "\r\n" } else { "\n" };
    format!("podspawn: {}{end}", text::one_line(&plain(message)))
}
