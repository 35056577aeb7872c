//! What is measured on the bench host itself: this program runs there, with a task as JSON, and prints its result.

mod account;
mod cold;
mod engine;
mod keys;
mod memory;
mod pipes;
mod step;

pub(crate) use cold::ColdTimes;
pub(crate) use keys::KeyTimes;
pub(crate) use memory::Resident;
pub(crate) use pipes::PipeTimes;
pub(crate) use step::StepTimes;

use account::Account;
use anyhow::{Context as _, Result, ensure};
use podspawn::{
    client::Client,
    protocol::varlink::{Own, SOCKET_PATH, methods::List},
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The hidden verb.
pub(crate) const VERB: &str = "inside";

/// Where a package installs it.
const PODSPAWN: &str = "/usr/bin/podspawn";

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Waits until none of the users has a session: no result.
    Gone { users: Vec<String> },
    /// [`StepTimes`]. The user's container has to run.
    Step { user: String, rounds: u32 },
    /// [`ColdTimes`]. The user's container has to go with its last connection.
    Cold { user: String, rounds: u32 },
    /// [`PipeTimes`]. The user's container has to run.
    Pipes { user: String, rounds: u32, bytes: u64 },
    /// A list of [`Resident`].
    Memory,
    /// [`KeyTimes`].
    Keys { users: u32, rounds: u32 },
}

/// Does the task in the first argument.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let task = arguments.next().and_then(|task| task.into_string().ok()).context("no task")?;
    let result = match serde_json::from_str(&task)? {
        Task::Gone { users } => serde_json::to_string(&wait_gone(&users)?),
        Task::Step { user, rounds } => serde_json::to_string(&step::measure(&Account::find(&user)?, rounds)?),
        Task::Cold { user, rounds } => serde_json::to_string(&cold::measure(&Account::find(&user)?, rounds)?),
        Task::Pipes { user, rounds, bytes } => {
            serde_json::to_string(&pipes::measure(&Account::find(&user)?, rounds, bytes)?)
        }
        Task::Memory => serde_json::to_string(&memory::measure()?),
        Task::Keys { users, rounds } => serde_json::to_string(&keys::measure(users, rounds)?),
    };
    println!("{}", result?);
    Ok(())
}

/// Asks the broker until it has forgotten every session of `users`.
fn wait_gone(users: &[String]) -> Result<()> {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        let mut client = Client::connect(Path::new(SOCKET_PATH), Duration::from_secs(20))?;
        let reply = client.call::<List>(&Own::default())?;
        if !reply.sessions.iter().any(|session| users.iter().any(|user| *user == *session.user.as_ref())) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "sessions do not end");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `podspawn spawn` as sshd's forced command runs it, with pipes.
fn spawn(account: &Account, command: &str) -> Command {
    let mut spawn = account.command(PODSPAWN);
    spawn.arg("spawn").env("SSH_ORIGINAL_COMMAND", command);
    spawn.env("SSH_CONNECTION", "127.0.0.1 50000 127.0.0.1 22").env("SSH_CLIENT", "127.0.0.1 50000 22");
    spawn.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn
}

/// How long a command takes from its start until it has ended and its output too. It has to succeed.
fn timed(mut command: Command) -> Result<Duration> {
    let begin = Instant::now();
    let child = command.spawn().with_context(|| format!("running {}", command.get_program().display()))?;
    let output = child.wait_with_output()?;
    let time = begin.elapsed();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}: {error}", command.get_program().display(), output.status);
    Ok(time)
}
