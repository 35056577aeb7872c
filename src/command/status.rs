//! `podspawn status`: how many sessions, connections and containers there are.

use super::{
    list::Broker,
    table::{Cell, Table, colour},
};
use crate::{
    domain::Span,
    protocol::varlink::{SNAPSHOT, SnapshotReply},
};
use anyhow::Context as _;
use std::io::{self, Write as _};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn status\n  podspawn status --json | jq .connections")]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (reply, _): (SnapshotReply, _) = options.broker.connect()?.call(SNAPSHOT, serde_json::json!({}), |_| ())?;
    let mut stdout = io::stdout().lock();
    if options.json {
        let json = serde_json::to_string_pretty(&reply).context("writing JSON")?;
        writeln!(stdout, "{json}")?;
    } else {
        stdout.write_all(table(&reply).render(colour()).as_bytes())?;
    }
    Ok(())
}

fn table(reply: &SnapshotReply) -> Table {
    let mut table = Table::bare();
    let mut line = |name, value| table.row(vec![Cell::plain(name), value]);
    line("Sessions", Cell::plain(format!("{}{}", reply.sessions, states(reply))));
    line("Connections", Cell::plain(reply.connections));
    // Not 0: nobody knows.
    line("Containers", reply.containers.map_or_else(|| Cell::notable("unknown"), Cell::plain));
    line("Oldest", Cell::plain(reply.oldest_seconds.map_or("-".to_owned(), |age| Span::from_secs(age).to_string())));
    table
}

/// The states that there are sessions in, in brackets.
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
    fn what_the_engine_does_not_tell_is_unknown() {
        let text = table(&SnapshotReply::default()).render(false);
        assert_eq!(text, "Sessions     0\nConnections  0\nContainers   unknown\nOldest       -\n");
    }
}
