//! Why the container ended under somebody who was connected.

use crate::{
    client::Client,
    protocol::varlink::{ENDED_TIMEOUT, EndedParameters, methods::Ended},
};
use std::{path::PathBuf, sync::mpsc, thread};

/// What is said when nobody knows more.
const GONE: &str = "the container is gone: it was stopped, removed or ran out of memory";

/// The line for the user, after [`ENDED_TIMEOUT`] at most.
pub(super) fn of(socket: PathBuf, session: Option<String>) -> String {
    let Some(session) = session else { return GONE.to_owned() };
    let (tell, told) = mpsc::channel();
    // In a thread, which ends with this process: even connecting may take for ever where a broker hangs.
    let asking = thread::Builder::new().spawn(move || {
        let _ = tell.send(ask(&socket, session));
    });
    let answer = asking.ok().and_then(|_| told.recv_timeout(ENDED_TIMEOUT).ok()).flatten();
    answer.unwrap_or_else(|| GONE.to_owned())
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

    /// What is said when a broker answers like this; with `None` it never does.
    fn said(answer: Option<&'static str>) -> String {
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
        let text = of(path, Some("0123456789abcdef".to_owned()));
        if answer.is_some() {
            broker.join().unwrap();
        }
        text
    }

    #[test]
    fn the_brokers_word_is_passed_on() {
        let answer = "{\"parameters\":{\"reason\":\"your container was killed: out of memory\"}}\0";
        assert_eq!(said(Some(answer)), "your container was killed: out of memory");
    }

    #[test]
    fn a_broker_that_knows_nothing_or_never_heard_of_the_question_leaves_the_general_line() {
        for answer in ["{\"parameters\":{}}\0", "{\"error\":\"org.varlink.service.MethodNotFound\"}\0", "x\0"] {
            assert_eq!(said(Some(answer)), GONE, "{answer}");
        }
        assert_eq!(of("/nonexistent/broker.sock".into(), Some("0123456789abcdef".to_owned())), GONE);
        assert_eq!(of("/nonexistent/broker.sock".into(), None), GONE);
    }

    #[test]
    fn a_broker_that_hangs_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(said(None), GONE);
        assert!(began.elapsed() < ENDED_TIMEOUT * 2);
    }
}
