//! The fault suite: whatever is killed, frozen or filled up, sessions that can go on do, the counts are right, and
//! nothing is left behind.
//!
//! Against a bench host of its own, by OpenSSH's own clients; `tests/faults` brings it up and runs this. Every round
//! has a seed, which is printed and plays it again.

// A driver that cannot go on should say where and stop.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod audit;
#[path = "../conformance/bench.rs"]
#[allow(dead_code, unused_imports)] // the conformance suite uses more of it
mod bench;
mod checks;
#[path = "../conformance/client.rs"]
#[allow(dead_code)]
mod client;
mod connection;
mod fault;
mod host;
mod logins;
mod many;
#[path = "../conformance/peer.rs"]
#[allow(dead_code)]
mod peer;
mod pipes;
mod points;
mod random;
mod round;
#[path = "../conformance/terminal.rs"]
#[allow(dead_code)]
mod terminal;
mod yesterday;

use clap::Parser;
use fault::Fault;
use host::Host;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// Break things under sessions, and see that nothing leaks and nothing drops
#[derive(Debug, Parser)]
#[command(
    name = "tests/faults",
    after_help = "Examples:
  tests/faults                                   a dozen random rounds
  tests/faults --rounds 300                      many
  tests/faults --seed 4711                       the round with this seed again
  tests/faults --rounds 10 --fault kill-broker   this fault only
  tests/faults --crash-points                    the broker dies between every two steps
  tests/faults --crash-points=destroy.           between these
  tests/faults --release --many                  100 sessions, and what they cost
  tests/faults --logins=500                      500 logins, each cut off
  tests/faults --yesterday --rounds 5            one thing and another"
)]
struct Options {
    /// How many rounds [default: 12, or 1 with --seed]
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// The seed of the first round; each next one's is one more [default: a random one]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Break only this
    #[arg(long, value_name = "FAULT")]
    fault: Option<Fault>,
    /// Kill the broker once at every crash point, or at those with this in their name
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    crash_points: Option<String>,
    /// So many sessions at once under a broker that is killed
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "100")]
    many: Option<usize>,
    /// So many logins, each killed by its client at a random point
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "2000")]
    logins: Option<usize>,
    /// Yesterday's state.db under today's containers
    #[arg(long)]
    yesterday: bool,
    // The next two are the script's; they are here for --help only.
    /// Build and install what is released, not what is debugged
    #[arg(long)]
    release: bool,
    /// The Debian of the bench host
    #[arg(long, value_name = "SUITE", default_value = "bookworm")]
    suite: String,
}

fn main() -> ExitCode {
    peer::obey_order();
    let options = Options::parse();
    // Where, and what; a backtrace would bury the violations.
    std::panic::set_hook(Box::new(|panic| eprintln!("faults: {panic}")));
    let host = Host::prepare();
    connection::learn_reference(host.bench);
    let mut violations = 0;
    if let Some(only) = &options.crash_points {
        violations += points::run(&host, only);
    }
    if let Some(count) = options.many {
        violations += many::run(&host, count);
    }
    if let Some(count) = options.logins {
        violations += logins::run(&host, count, options.seed.unwrap_or_else(random::fresh_seed));
    }
    if options.yesterday {
        violations += yesterday::run(&host);
    }
    let other = options.crash_points.is_some() || options.many.is_some() || options.logins.is_some();
    if options.rounds.is_some() || !(other || options.yesterday) {
        violations += rounds(&host, &options);
    }
    println!("{violations} violations");
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays the rounds; how many of them went wrong.
fn rounds(host: &Host, options: &Options) -> usize {
    let count = options.rounds.unwrap_or(if options.seed.is_some() { 1 } else { 12 });
    let first = options.seed.unwrap_or_else(random::fresh_seed);
    let began = Instant::now();
    let mut violations = 0;
    for seed in first..first + count {
        let wrong = guarded(|| round::run(host, seed, options.fault)).unwrap_or_else(|panic| {
            host.heal();
            vec![panic]
        });
        let fault = options.fault.map(|fault| format!(" --fault {}", fault.name())).unwrap_or_default();
        violations += violation("a round", &format!("--seed {seed}{fault}"), &wrong);
    }
    println!("{count} rounds from seed {first} in {:.0?}, {violations} with violations", rounded(began.elapsed()));
    violations
}

/// Prints what was wrong with `what`, and how to see it again; 1 if anything was.
fn violation(what: &str, again: &str, wrong: &[String]) -> usize {
    if wrong.is_empty() {
        return 0;
    }
    println!("VIOLATION in {what}, again with {again}:");
    for line in wrong {
        println!("    {line}");
    }
    1
}

/// To a tenth of a second.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 100 * 100)
}

/// Runs `act`; what it panicked with.
fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
    })
}
