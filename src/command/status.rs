//! `podspawn status`: how many sessions, connections and containers there are.

use super::{
    list::Broker,
    scrape::scrape,
    table::{Cell, Table, colour},
};
use crate::{
    domain::{Span, text},
    openmetrics::{Dialect, render},
    protocol::{
        measurements::LAST_MEASUREMENTS,
        varlink::{Own, SnapshotReply, methods::Snapshot},
    },
    sys::{replace::Replacement, stderr},
};
use anyhow::Context as _;
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

/// The file of `--output`. Its directory may belong to another user, and two timers may write it at once.
const FILE: Replacement = Replacement::new(0o644).concurrent();

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn status\n  podspawn status --json | jq .connections\n  \
                        podspawn status --prometheus --output /var/lib/prometheus/podspawn.prom")]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Print all metrics in Prometheus' text format (root)
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
    /// Write the metrics to a file, which is replaced atomically
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    output: Option<PathBuf>,
    /// The broker's last measurements
    #[arg(long, hide = true, default_value = LAST_MEASUREMENTS)]
    last: PathBuf,
    #[command(flatten)]
    broker: Broker,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if options.prometheus {
        return prometheus(options);
    }
    print(&options.broker, Own::default(), options.json)
}

/// Prints the numbers of the caller's account alone.
pub(super) fn print_own(broker: &Broker, json: bool) -> anyhow::Result<()> {
    print(broker, Own::ONLY, json)
}

fn print(broker: &Broker, own: Own, json: bool) -> anyhow::Result<()> {
    let reply = broker.connect()?.call::<Snapshot>(&own)?;
    let mut stdout = io::stdout().lock();
    if json {
        let json = serde_json::to_string_pretty(&reply).context("writing JSON")?;
        writeln!(stdout, "{}", text::json(&json))?;
    } else {
        stdout.write_all(table(&reply).render(colour()).as_bytes())?;
    }
    Ok(())
}

/// A broker that does not answer is a result: an alert fires on it.
fn prometheus(options: &Options) -> anyhow::Result<()> {
    let (families, error) = scrape(&options.broker.socket, &options.last);
    let text = render(&families, Dialect::Text);
    match &options.output {
        Some(path) => FILE.write(path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    if let Some(error) = error {
        stderr::complain(error);
    }
    Ok(())
}

fn table(reply: &SnapshotReply) -> Table {
    let mut table = Table::bare();
    let mut line = |name, value| table.row(vec![Cell::plain(name), value]);
    line("Sessions", Cell::plain(format!("{}{}", reply.sessions, states(reply))));
    line("Connections", Cell::plain(reply.connections));
    // An unknown number is not 0.
    line("Containers", reply.containers.map_or_else(|| Cell::notable("unknown"), Cell::plain));
    line("Oldest", Cell::plain(reply.oldest_seconds.map_or("-".to_owned(), |age| Span::from_secs(age).to_string())));
    table
}

/// The numbers of sessions in each state, in brackets.
fn states(reply: &SnapshotReply) -> String {
    let states = [
        (reply.creating, "creating"),
        (reply.running, "running"),
        (reply.grace, "grace"),
        (reply.destroying, "destroying"),
    ];
    let named: Vec<String> =
        states.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_line() {
        let reply = SnapshotReply {
            sessions: 4,
            running: 3,
            grace: 1,
            connections: 5,
            containers: Some(4),
            oldest_seconds: Some(7800),
            ..SnapshotReply::default()
        };
        assert_eq!(
            table(&reply).render(false),
            "Sessions     4 (3 running, 1 grace)\nConnections  5\nContainers   4\nOldest       2h10m\n"
        );
    }

    #[test]
    fn without_an_answer_of_the_engine_the_containers_are_unknown() {
        let text = table(&SnapshotReply::default()).render(false);
        assert_eq!(text, "Sessions     0\nConnections  0\nContainers   unknown\nOldest       -\n");
    }
}
