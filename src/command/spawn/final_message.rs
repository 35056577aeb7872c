//! The reason why the container of an open session ended, asked of the broker.

use super::error::SpawnError;
use crate::{
    client::Client,
    protocol::varlink::{ENDED_TIMEOUT, EndedParameters, methods::Ended},
};
use std::{path::PathBuf, sync::mpsc, thread};

/// The broker's reason, or [`SpawnError::Gone`] if it has none within [`ENDED_TIMEOUT`].
pub(super) fn of(socket: PathBuf, session: Option<String>) -> SpawnError {
    let Some(session) = session else { return SpawnError::Gone };
    let (sender, receiver) = mpsc::channel();
    // In a thread, which ends with this process: even the connect may take for ever if the broker hangs.
    let asking = thread::Builder::new().spawn(move || {
        let _ = sender.send(ask(&socket, session));
    });
    let reason = asking.ok().and_then(|_| receiver.recv_timeout(ENDED_TIMEOUT).ok()).flatten();
    reason.map_or(SpawnError::Gone, SpawnError::Ended)
}

fn ask(socket: &std::path::Path, session: String) -> Option<String> {
    let mut client = Client::connect(socket, ENDED_TIMEOUT).ok()?;
    client.call::<Ended>(&EndedParameters { session }).ok()?.reason.filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        os::unix::net::UnixListener,
        time::Instant,
    };

    /// The line for a broker that answers like this; with `None` it never does.
    fn line(answer: Option<&'static str>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let broker = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            if let Some(answer) = answer {
                let _ = peer.read(&mut [0; 4096]);
                peer.write_all(answer.as_bytes()).unwrap();
            }
            // Until the other side hangs up.
            let _ = peer.read_to_end(&mut Vec::new());
        });
        let text = of(path, Some("0123456789abcdef".to_owned())).to_string();
        if answer.is_some() {
            broker.join().unwrap();
        }
        text
    }

    #[test]
    fn the_reason_of_the_broker_is_passed_on() {
        let answer = "{\"parameters\":{\"reason\":\"your container was killed: out of memory\"}}\0";
        assert_eq!(line(Some(answer)), "your container was killed: out of memory");
    }

    #[test]
    fn without_a_reason_from_the_broker_the_line_is_a_general_one() {
        for answer in ["{\"parameters\":{}}\0", "{\"error\":\"org.varlink.service.MethodNotFound\"}\0", "x\0"] {
            assert_eq!(line(Some(answer)), SpawnError::Gone.to_string(), "{answer}");
        }
        for session in [Some("0123456789abcdef".to_owned()), None] {
            assert!(matches!(of("/nonexistent/broker.sock".into(), session), SpawnError::Gone));
        }
    }

    #[test]
    fn a_broker_that_hangs_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(line(None), SpawnError::Gone.to_string());
        assert!(began.elapsed() < ENDED_TIMEOUT * 2);
    }
}
