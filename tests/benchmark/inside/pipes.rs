//! Bytes through pipes, as sshd holds them.

use super::{Account, spawn};
use crate::samples::Samples;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Milliseconds for all bytes, of a process on the host and of one in the container.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PipeTimes {
    pub(crate) down: [Samples; 2],
    pub(crate) up: [Samples; 2],
}

/// What a pipe holds.
const CHUNK: usize = 64 * 1024;

pub(crate) fn measure(account: &Account, rounds: u32, bytes: u64) -> Result<PipeTimes> {
    let mut times = PipeTimes::default();
    let source = format!("head -c {bytes} /dev/zero");
    let commands = |text: &str| -> [Command; 2] {
        let mut local = account.command("/bin/sh");
        local.args(["-c", text]).stdin(Stdio::piped()).stdout(Stdio::piped());
        [local, spawn(account, text)]
    };
    for round in 0..rounds {
        for (who, command) in in_turn(round, commands(&source)) {
            times.down[who].push_time(down(command, bytes)?);
        }
        for (who, command) in in_turn(round, commands("cat >/dev/null")) {
            times.up[who].push_time(up(command, bytes)?);
        }
    }
    Ok(times)
}

/// Both, the other one first in every other round.
fn in_turn<T>(round: u32, pair: [T; 2]) -> Vec<(usize, T)> {
    let mut pair: Vec<(usize, T)> = pair.into_iter().enumerate().collect();
    if round % 2 == 1 {
        pair.reverse();
    }
    pair
}

fn down(mut command: Command, bytes: u64) -> Result<Duration> {
    let begin = Instant::now();
    let mut child = command.spawn()?;
    drop(child.stdin.take());
    let mut stdout = child.stdout.take().context("no stdout")?;
    let mut chunk = vec![0; CHUNK];
    let mut read = 0;
    loop {
        match stdout.read(&mut chunk)? {
            0 => break,
            count => read += u64::try_from(count)?,
        }
    }
    let status = child.wait()?;
    let time = begin.elapsed();
    ensure!(status.success() && read == bytes, "{status} after {read} bytes");
    Ok(time)
}

fn up(mut command: Command, bytes: u64) -> Result<Duration> {
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let chunk = vec![0; CHUNK];
    for _ in 0..bytes / u64::try_from(CHUNK)? {
        stdin.write_all(&chunk)?;
    }
    drop(stdin);
    let status = child.wait()?;
    let time = begin.elapsed();
    ensure!(status.success(), "{status}");
    Ok(time)
}
