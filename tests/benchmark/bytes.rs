//! Bytes in both directions.
//!
//! They come from `/dev/zero` or a file with a hole and go to `/dev/null`: no disk is measured. Files are in homes, which
//! are on an overlay in both cases.

use crate::{
    Effort,
    host::{Host, PLAIN, WARM, timed},
    inside::{PipeTimes, Task},
    report::{Report, Target, Unit},
    samples::Samples,
};
use anyhow::Result;
use std::{
    fs::{self, File},
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

const TARGET: Option<Target> = Some(Target::AtLeast(0.9));
const SSH: &str = "bytes through ssh";
const PIPES: &str = "bytes without ssh";

/// How a transfer is done.
#[derive(Debug, Clone, Copy)]
enum Way {
    Down,
    Up,
    Get,
    Put,
}

const WAYS: [(Way, &str); 4] = [(Way::Down, "down"), (Way::Up, "up"), (Way::Get, "sftp get"), (Way::Put, "sftp put")];

pub(crate) fn measure(host: &Host, effort: Effort, report: &mut Report) -> Result<()> {
    let bytes = effort.bytes();
    let held = host.hold(WARM)?;
    let file = Hole::new(bytes)?;
    for user in [PLAIN, WARM] {
        timed(
            host.ssh(user, &format!("truncate -s {bytes} perf-hole && cat perf-hole >/dev/null")).stdin(Stdio::null()),
        )?;
    }
    let rounds = effort.rounds(8, 1);
    for (way, name) in WAYS {
        let mut rates: [Samples; 2] = Default::default();
        for round in 0..rounds {
            for turn in 0..2 {
                let who = usize::try_from((round + turn) % 2)?;
                let time = transfer(host, [PLAIN, WARM][who], way, &file.path, bytes)?;
                rates[who].push(rate(bytes, time));
            }
        }
        let [plain, podspawn] = rates;
        let ratio = podspawn.pairs(&plain, |podspawn, plain| podspawn / plain);
        report.row(SSH, format!("{name}: plain sshd"), Unit::MebibytesPerSecond, plain, None);
        report.row(SSH, format!("{name}: podspawn"), Unit::MebibytesPerSecond, podspawn, None);
        report.row(SSH, format!("{name}: podspawn : plain"), Unit::Ratio, ratio, TARGET);
    }
    for user in [PLAIN, WARM] {
        timed(host.ssh(user, "rm perf-hole").stdin(Stdio::null()))?;
    }

    let rounds = effort.rounds(5, 3);
    // Fast enough for all of it, and with less the time to start would count.
    let bytes = 1 << 30;
    let times: PipeTimes = host.inside(&Task::Pipes { user: WARM.to_owned(), rounds, bytes })?;
    held.end()?;
    host.wait_gone([WARM.to_owned()])?;
    for (name, [local, podspawn]) in [("down", times.down), ("up", times.up)] {
        let rates = |times: &Samples| times.pairs(times, |ms, _| rate(bytes, Duration::from_secs_f64(ms / 1e3)));
        let ratio = local.pairs(&podspawn, |local, podspawn| local / podspawn);
        report.row(PIPES, format!("{name}: a local pipe"), Unit::MebibytesPerSecond, rates(&local), None);
        report.row(PIPES, format!("{name}: podspawn spawn"), Unit::MebibytesPerSecond, rates(&podspawn), None);
        report.row(PIPES, format!("{name}: podspawn : a local pipe"), Unit::Ratio, ratio, TARGET);
    }
    Ok(())
}

fn transfer(host: &Host, user: &str, way: Way, file: &Path, bytes: u64) -> Result<Duration> {
    let batch = match way {
        Way::Down => return timed(host.ssh(user, &format!("head -c {bytes} /dev/zero")).stdin(Stdio::null())),
        Way::Up => return timed(host.ssh(user, "cat >/dev/null").stdin(File::open(file)?)),
        Way::Get => "get perf-hole /dev/null\n".to_owned(),
        Way::Put => format!("put {} /dev/null\n", file.display()),
    };
    let mut input = tempfile::tempfile()?;
    input.write_all(batch.as_bytes())?;
    input.rewind()?;
    timed(host.sftp(user).stdin(input))
}

/// MiB in a second.
fn rate(bytes: u64, time: Duration) -> f64 {
    let mebibytes = u32::try_from(bytes >> 20).map_or(f64::NAN, f64::from);
    mebibytes / time.as_secs_f64()
}

/// A file that takes no space.
struct Hole {
    path: PathBuf,
}

impl Hole {
    fn new(bytes: u64) -> Result<Self> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/perf-hole");
        File::create(&path)?.set_len(bytes)?;
        Ok(Self { path })
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
