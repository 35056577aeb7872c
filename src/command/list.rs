//! `podspawn list`: the sessions that the caller may see.

use super::table::{Cell, Table};
use crate::{
    client::Client,
    domain::{Span, text},
    protocol::varlink::{Own, SOCKET_PATH, SessionInfo, methods::List},
    sys::clock::unix_seconds,
};
use anyhow::Context as _;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

/// How long the broker may take: it answers from memory.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn list\n  podspawn list --json | jq -r '.[] | select(.status == \"grace\") | .user'"
)]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

/// The broker's socket.
#[derive(Debug, clap::Args)]
pub(super) struct Broker {
    /// The broker's socket
    #[arg(long, hide = true, default_value = SOCKET_PATH)]
    pub(super) socket: PathBuf,
}

impl Broker {
    pub(super) fn connect(&self) -> anyhow::Result<Client> {
        Ok(Client::connect(&self.socket, TIMEOUT)?)
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    print(&options.broker, Own::default(), options.json)
}

/// Prints the sessions of the caller's account alone.
pub(super) fn print_own(broker: &Broker, json: bool) -> anyhow::Result<()> {
    print(broker, Own::ONLY, json)
}

fn print(broker: &Broker, own: Own, json: bool) -> anyhow::Result<()> {
    let reply = broker.connect()?.call::<List>(&own)?;
    let mut stdout = io::stdout().lock();
    if json {
        let json = serde_json::to_string_pretty(&reply.sessions).context("writing JSON")?;
        writeln!(stdout, "{}", text::json(&json))?;
    } else {
        stdout.write_all(table(&reply.sessions, unix_seconds()).render(super::table::colour()).as_bytes())?;
    }
    Ok(())
}

fn table(sessions: &[SessionInfo], now: i64) -> Table {
    let span = |seconds: i64| Span::from_secs(u64::try_from(seconds).unwrap_or(0)).to_string();
    let mut table = Table::new(&["USER", "PROJECT", "CONTAINER", "STATUS", "CONNS", "AGE", "LIFETIME", "LEFT"]);
    for session in sessions {
        table.row(vec![
            Cell::plain(&session.user),
            Cell::plain(session.project.as_deref().unwrap_or("-")),
            Cell::plain(&session.container),
            match session.status.as_str() {
                "running" => Cell::good(&session.status),
                _ => Cell::notable(&session.status),
            },
            Cell::number(session.connections),
            Cell::plain(span(now - session.created)),
            Cell::plain(session.lifetime.map_or("-".to_owned(), |seconds| Span::from_secs(seconds).to_string())),
            Cell::plain(session.ends.map_or("-".to_owned(), |end| span(end - now))),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_aligned_line() {
        let session = SessionInfo {
            session: "0123456789abcdef".into(),
            user: "alice".into(),
            project: None,
            container: "podspawn-alice".into(),
            status: "grace".into(),
            connections: 0,
            uid: Some(65_536),
            created: 1000,
            image: "debian:12".into(),
            mode: "grace-period".into(),
            lifetime: Some(28_800),
            abandoned: Some(1100),
            ends: Some(1160),
        };
        let text = table(&[session], 1130).render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "USER   PROJECT  CONTAINER       STATUS  CONNS  AGE    LIFETIME  LEFT");
        assert_eq!(lines[1], "alice  -        podspawn-alice  grace       0  2m10s  8h        30s");
    }
}
