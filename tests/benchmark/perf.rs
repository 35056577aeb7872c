//! The benchmark: what a login, a byte and an idle session cost with podspawn, and what they cost without.
//!
//! Everything is measured on one bench host (`tests/bench`), the things that are compared in turns of the same round,
//! so that whatever else the machine does meets them alike. What happens on the bench host itself is measured there,
//! by a copy of this very program ([`inside`]): it is static, as podspawn is.
//!
//! A target that is missed is a figure, not a failure: the exit code says whether everything worked.

mod bytes;
mod host;
mod inside;
mod keys;
mod logins;
mod machine;
mod many;
mod memory;
mod report;
mod samples;
mod step;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use host::{Host, WARM};
use report::Report;
use std::{path::PathBuf, process::ExitCode};

/// What podspawn costs, next to a plain sshd, the engine alone, and a relay through `docker exec`
#[derive(Debug, Parser)]
#[command(name = "perf")]
struct Options {
    /// Few rounds, and a quarter of the bytes: for a first look
    #[arg(long)]
    quick: bool,
    /// Rounds of `ssh true`; the other parts follow in proportion [default: 50, 10 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Only these parts
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `ssh true`
    Logins,
    /// The same without ssh
    Step,
    /// A new container, next to the engine's own
    Cold,
    /// 1 GiB each way, through ssh, sftp, and without
    Bytes,
    /// Many logins at once
    Many,
    /// What an idle session holds
    Memory,
    /// auth-keys with 10,000 users
    Keys,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    rounds: u32,
    quick: bool,
}

impl Effort {
    /// Rounds of something that takes `weight` times as long as a login, at least `least`.
    fn rounds(self, weight: u32, least: u32) -> u32 {
        (self.rounds / weight).max(least)
    }

    /// Rounds of something that takes a small part of a login.
    fn many(self) -> u32 {
        self.rounds * 4
    }

    /// How many bytes a transfer has.
    fn bytes(self) -> u64 {
        if self.quick { 1 << 28 } else { 1 << 30 }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let result = if arguments.next().is_some_and(|first| first == inside::VERB) {
        inside::run(arguments).map(|()| true)
    } else {
        run(&Options::parse())
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("perf: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the parts; whether everything worked.
fn run(options: &Options) -> Result<bool> {
    let quick = options.quick;
    let effort = Effort { rounds: options.rounds.unwrap_or(if quick { 10 } else { 50 }), quick };
    let mut report = Report::new(effort)?;
    let host = Host::prepare()?;
    // A session, so that the broker runs and stays.
    let held = host.hold(WARM)?;
    let before = host.podspawn()?;
    held.end()?;
    for part in Part::value_variants().iter().filter(|part| options.only.is_empty() || options.only.contains(part)) {
        let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        eprintln!("perf: {name} …");
        let done = match part {
            Part::Logins => logins::measure(&host, effort, &mut report),
            Part::Step => step::warm(&host, effort, &mut report),
            Part::Cold => step::cold(&host, effort, &mut report),
            Part::Bytes => bytes::measure(&host, effort, &mut report),
            Part::Many => many::measure(&host, effort, &mut report),
            Part::Memory => memory::measure(&host, &mut report),
            Part::Keys => keys::measure(&host, effort, &mut report),
        };
        // The other parts are worth having nevertheless.
        if let Err(error) = done {
            report.fail(format!("{name}: {error:#}"));
        }
    }
    let after = host.podspawn()?;
    if before != after {
        report.fail(format!("podspawn was replaced or restarted: {before}, then {after}"));
    }
    report.finish(after);
    print!("{report}");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/perf.json");
    std::fs::write(&file, report.json()).with_context(|| format!("writing {}", file.display()))?;
    Ok(report.worked())
}
