//! `true` in a running container, in every way there is.

use super::{Account, engine, spawn, timed};
use crate::{host::RELAY_TARGET, samples::Samples};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StepTimes {
    /// A shell on the host: what making a process costs here.
    pub(crate) shell: Samples,
    pub(crate) spawn: Samples,
    pub(crate) docker_exec: Samples,
    /// The three calls that `docker exec` makes.
    pub(crate) exec_api: Samples,
}

pub(crate) fn measure(account: &Account, rounds: u32) -> Result<StepTimes> {
    let mut times = StepTimes::default();
    // Relays are slow, and no target hangs on them.
    let relays = rounds.div_ceil(5);
    for round in 0..=rounds {
        let mut shell = account.command("/bin/sh");
        shell.args(["-c", "true"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shell = timed(shell)?;
        let spawn = timed(spawn(account, "true"))?;
        // The first round warms caches up.
        if round > 0 {
            times.shell.push_time(shell);
            times.spawn.push_time(spawn);
        }
        if (1..=relays).contains(&round) {
            times.docker_exec.push_time(docker_exec()?);
            times.exec_api.push_time(exec_api()?);
        }
    }
    Ok(times)
}

fn docker_exec() -> Result<Duration> {
    let mut command = Command::new("docker");
    command.args(["exec", "-i", RELAY_TARGET, "sh", "-c", "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    timed(command)
}

fn exec_api() -> Result<Duration> {
    let begin = Instant::now();
    let exec = json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", "true"] });
    let id = engine::created("POST", &format!("/containers/{RELAY_TARGET}/exec"), &exec)?;
    engine::call("POST", &format!("/exec/{id}/start"), Some(&json!({ "Detach": false, "Tty": false })))?;
    let end = engine::call("GET", &format!("/exec/{id}/json"), None)?;
    let time = begin.elapsed();
    ensure!(end.contains("\"ExitCode\":0"), "exec: {end}");
    Ok(time)
}
