//! All metrics: from the broker, or from the file that an idle broker left.

use crate::{
    broker::last_measurements,
    client::{CallError, Client},
    measure::{
        catalog::{BROKER_RUNNING, UP},
        gauge, truth,
    },
    protocol::{
        measurements::Family,
        varlink::{Nothing, methods::Measurements},
    },
    sys::listening,
};
use std::{path::Path, time::Duration};

/// How long the broker may take: it gives the engine three seconds, and Prometheus asks for ten at most.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The state of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// The broker answers.
    Answers,
    /// The broker exited because it was idle, and its socket will start it again.
    Idle,
    /// The broker runs and does not answer as it should.
    Fails,
    /// No process listens.
    Gone,
}

/// All metrics, and why there are none of the broker, if so. An idle broker is not started.
pub(super) fn scrape(socket: &Path, last: &Path) -> (Vec<Family>, Option<String>) {
    let (condition, mut families, error) = read(socket, last);
    let up = matches!(condition, Condition::Answers | Condition::Idle);
    let running = matches!(condition, Condition::Answers | Condition::Fails);
    families.insert(0, gauge(&UP, truth(up)));
    families.insert(1, gauge(&BROKER_RUNNING, truth(running)));
    (families, error)
}

fn read(socket: &Path, last: &Path) -> (Condition, Vec<Family>, Option<String>) {
    if let Ok(last) = last_measurements(last)
        && last.resting
    {
        return match listening::is_bound(socket) {
            Ok(true) => (Condition::Idle, last.families, None),
            Ok(false) => (Condition::Gone, Vec::new(), Some("no process listens on the broker's socket".to_owned())),
            Err(error) => (Condition::Gone, Vec::new(), Some(format!("the broker's socket: {error}"))),
        };
    }
    match ask(socket) {
        Ok(families) => (Condition::Answers, families, None),
        Err(error) => {
            let gone = matches!(error, CallError::Unreachable(_));
            (if gone { Condition::Gone } else { Condition::Fails }, Vec::new(), Some(error.to_string()))
        }
    }
}

fn ask(socket: &Path) -> Result<Vec<Family>, CallError> {
    let mut client = Client::connect(socket, TIMEOUT)?;
    Ok(client.call::<Measurements>(&Nothing {})?.families)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::catalog::SESSIONS,
        openmetrics::{Dialect, render},
        protocol::measurements::MeasurementsReply,
    };
    use std::{
        fs,
        io::{Read as _, Write as _},
        os::unix::net::{UnixListener, UnixStream},
        thread,
    };

    fn text(socket: &Path, last: &Path) -> String {
        render(&scrape(socket, last).0, Dialect::Text)
    }

    fn left(resting: bool) -> String {
        let last = MeasurementsReply { families: vec![gauge(&SESSIONS, 0.0)], resting };
        serde_json::to_string(&last).unwrap()
    }

    /// Answers one call with `reply`.
    fn broker(listener: UnixListener, reply: &'static str) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
        })
    }

    #[test]
    fn an_idle_broker_is_not_started_and_a_missing_one_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, last) = (directory.path().join("broker.sock"), directory.path().join("last.json"));
        fs::write(&last, left(true)).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let resting = text(&socket, &last);
        for line in ["podspawn_up 1", "podspawn_broker_running 0", "podspawn_sessions_total 0"] {
            assert!(resting.lines().any(|found| found == line), "{line}: {resting}");
        }
        assert!(listener.accept().is_err());
        drop(listener);
        let gone = text(&socket, &last);
        assert!(gone.contains("podspawn_up 0\n") && gone.contains("podspawn_broker_running 0\n"), "{gone}");
        assert!(!gone.contains("podspawn_sessions"), "unknown values are left out: {gone}");
    }

    #[test]
    fn a_broker_that_was_stopped_is_asked_despite_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, last) = (directory.path().join("broker.sock"), directory.path().join("last.json"));
        fs::write(&last, left(false)).unwrap();
        let reply = "{\"parameters\":{\"families\":[{\"name\":\"podspawn_sessions_total\",\"help\":\"\",\"kind\":\"unknown\",\"samples\":[{\"value\":4}]}]}}\0";
        let answering = broker(UnixListener::bind(&socket).unwrap(), reply);
        let text = text(&socket, &last);
        answering.join().unwrap();
        for line in ["podspawn_up 1", "podspawn_broker_running 1", "podspawn_sessions_total 4"] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn a_broker_that_refuses_runs_and_is_not_up() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, last) = (directory.path().join("broker.sock"), directory.path().join("last.json"));
        let refusal = "{\"error\":\"io.podspawn.Sessions.Unavailable\",\"parameters\":{\"reason\":\"not now\"}}\0";
        let answering = broker(UnixListener::bind(&socket).unwrap(), refusal);
        let (families, error) = scrape(&socket, &last);
        answering.join().unwrap();
        assert_eq!(
            render(&families, Dialect::Text).lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(),
            ["podspawn_up 0", "podspawn_broker_running 1"]
        );
        assert_eq!(error.as_deref(), Some("not now"));
    }
}
