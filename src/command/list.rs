//! `podspawn list`: the sessions that the caller may see.

use super::table::{Cell, Table};
use crate::{
    client::Client,
    domain::{Span, State, text},
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
        stdout.write_all(json_of(&reply.sessions)?.as_bytes())?;
    } else {
        stdout.write_all(table(&reply.sessions, unix_seconds()).render(super::table::colour()).as_bytes())?;
    }
    Ok(())
}

fn json_of(sessions: &[SessionInfo]) -> anyhow::Result<String> {
    let json = serde_json::to_string_pretty(sessions).context("writing JSON")?;
    Ok(format!("{}\n", text::json(&json)))
}

fn table(sessions: &[SessionInfo], now: i64) -> Table {
    let span = |seconds: i64| Span::from_secs(u64::try_from(seconds).unwrap_or(0)).to_string();
    let mut table = Table::new(&["USER", "PROJECT", "CONTAINER", "STATUS", "CONNS", "AGE", "LIFETIME", "LEFT"]);
    for session in sessions {
        table.row(vec![
            Cell::plain(&session.user),
            Cell::plain(session.project.as_ref().map_or("-", AsRef::as_ref)),
            Cell::plain(&session.container),
            match session.state {
                State::Running => Cell::good(session.state),
                State::Creating | State::Grace | State::Destroying => Cell::notable(session.state),
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
    use crate::{domain::Mode, protocol::varlink::ListReply};

    fn session() -> SessionInfo {
        SessionInfo {
            id: "0123456789abcdef".parse().unwrap(),
            user: "alice".parse().unwrap(),
            project: None,
            container: "podspawn-alice".parse().unwrap(),
            state: State::Grace,
            connections: 0,
            uid: Some(65_536),
            created: 1000,
            image: "debian:12".into(),
            mode: Mode::GracePeriod,
            lifetime: Some(28_800),
            abandoned: Some(1100),
            ends: Some(1160),
        }
    }

    #[test]
    fn a_session_is_one_aligned_line() {
        let text = table(&[session()], 1130).render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "USER   PROJECT  CONTAINER       STATUS  CONNS  AGE    LIFETIME  LEFT");
        assert_eq!(lines[1], "alice  -        podspawn-alice  grace       0  2m10s  8h        30s");
    }

    #[test]
    fn the_json_for_programs_keeps_its_fields_their_order_and_their_words() {
        let sparse = SessionInfo {
            project: Some("backend".parse().unwrap()),
            state: State::Creating,
            mode: Mode::Named,
            uid: None,
            lifetime: None,
            abandoned: None,
            ends: None,
            ..session()
        };
        let text = json_of(&[session(), sparse]).unwrap();
        assert_eq!(text, include_str!("list/golden.json"));
        let reply = format!("{{\"sessions\": {text}}}");
        let reply: ListReply = serde_json::from_str(&reply).unwrap();
        assert_eq!(json_of(&reply.sessions).unwrap(), text, "the reply has the same objects");
    }
}
