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
        varlink::{OWN, SNAPSHOT, SnapshotReply},
    },
    sys::stderr,
};
use anyhow::Context as _;
use rustix::fs::{Mode, fchmod};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn status\n  podspawn status --json | jq .connections\n  \
                        podspawn status --prometheus --output /var/lib/prometheus/podspawn.prom")]
pub struct Options {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Print everything that is measured, in Prometheus' text format (root)
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
    /// Write that to a file, which is replaced whole
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
    print(&options.broker, serde_json::json!({}), options.json)
}

/// Prints the numbers of the caller's account alone.
pub(super) fn own(broker: &Broker, json: bool) -> anyhow::Result<()> {
    print(broker, serde_json::json!({ OWN: true }), json)
}

fn print(broker: &Broker, parameters: serde_json::Value, json: bool) -> anyhow::Result<()> {
    let (reply, _): (SnapshotReply, _) = broker.connect()?.call(SNAPSHOT, parameters, |_| ())?;
    let mut stdout = io::stdout().lock();
    if json {
        let json = serde_json::to_string_pretty(&reply).context("writing JSON")?;
        writeln!(stdout, "{}", text::json(&json))?;
    } else {
        stdout.write_all(table(&reply).render(colour()).as_bytes())?;
    }
    Ok(())
}

/// A broker that does not answer is a result like any other: it is what an alert is made of.
fn prometheus(options: &Options) -> anyhow::Result<()> {
    let (families, error) = scrape(&options.broker.socket, &options.last);
    let text = render(&families, Dialect::Text);
    match &options.output {
        Some(path) => replace(path, &text).with_context(|| format!("writing {}", path.display()))?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    if let Some(error) = error {
        stderr::complain(error);
    }
    Ok(())
}

/// Puts a new file in the place of another. Whoever owns the directory may have prepared something there: nothing that
/// exists is written to, and no link is followed.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let name = path.file_name().context("it has no name")?;
    let mut new = OsString::from(".");
    new.push(name);
    new.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(new);
    // One of a process with our number that did not get so far.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&new)?;
    let written = fchmod(&file, Mode::from_raw_mode(0o644)).map_err(io::Error::from);
    let written = written.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    Ok(written?)
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

    #[test]
    fn a_file_is_replaced_whole_for_everybody_to_read_and_a_link_is_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join("podspawn.prom"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        replace(&path, "podspawn_up 1\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "podspawn_up 1\n");
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(replace(&directory.path().join("no/such/directory"), "").is_err());
    }
}
