use super::*;
use crate::engine::Engine;
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

/// A socket that gives one canned answer to every request.
struct Canned {
    directory: tempfile::TempDir,
    /// The first line of every request, in order.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    /// Must be called in a runtime, which serves as long as it lives.
    fn answering(status: u16, body: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("engine.sock")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                let length = peer.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                lines.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = peer.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { directory, seen }
    }

    fn engine(&self) -> DockerEngine {
        at(&self.directory.path().join("engine.sock"))
    }
}

fn at(path: &Path) -> DockerEngine {
    DockerEngine::new(&format!("unix://{}", path.display())).unwrap()
}

fn some_id() -> ContainerId {
    "a".repeat(64).parse().unwrap()
}

#[test]
fn only_unix_sockets_are_engine_hosts() {
    DockerEngine::new("unix:///var/run/docker.sock").unwrap();
    for bad in ["", "tcp://127.0.0.1:2375", "unix://relative", "/var/run/docker.sock", "ssh://host"] {
        assert!(DockerEngine::new(bad).unwrap_err().to_string().contains("unix:///var/run/docker.sock"), "{bad}");
    }
}

#[tokio::test]
async fn a_missing_and_a_dead_socket_are_unreachable_and_making_the_engine_is_not_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    let engine = at(&path);
    let error = engine.containers().await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Unreachable(source) if source.kind() == io::ErrorKind::NotFound),
        "{error:?}"
    );

    drop(UnixListener::bind(&path).unwrap());
    let error = engine.containers().await.unwrap_err();
    let refused = io::ErrorKind::ConnectionRefused;
    assert!(matches!(&error, EngineError::Unreachable(source) if source.kind() == refused), "{error:?}");
    assert!(error.is_unknown());
}

#[tokio::test]
async fn a_connection_that_is_lost_is_unreachable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let error = at(&path).start_container(&some_id()).await.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn an_engine_that_never_answers_is_unreachable_after_the_deadline() {
    let never = std::future::pending::<Result<(), Error>>();
    let error = explain(within(Duration::from_millis(10), never).await.unwrap_err(), |_, _| None);
    assert!(
        matches!(&error, EngineError::Unreachable(source) if source.kind() == io::ErrorKind::TimedOut),
        "{error:?}"
    );
}

#[tokio::test]
async fn requests_carry_no_version_so_that_every_engine_takes_them() {
    let canned = Canned::answering(200, "[]");
    assert_eq!(canned.engine().networks().await.unwrap(), []);
    let line = canned.seen.lock().unwrap().pop().unwrap();
    assert!(line.starts_with("GET /networks?filters="), "{line}");
}

#[tokio::test]
async fn what_an_error_means_is_read_from_status_and_text() {
    async fn error_of(status: u16, body: &'static str) -> EngineError {
        Canned::answering(status, body).engine().start_container(&some_id()).await.unwrap_err()
    }
    let full = error_of(500, r#"{"message":"write /var/lib/docker/x: no space left on device"}"#).await;
    assert!(matches!(full, EngineError::DiskFull) && !full.is_unknown(), "{full:?}");
    let midway = error_of(500, r#"{"message":"context deadline exceeded:\nsecond line"}"#).await;
    let EngineError::Other { status: 500, message } = &midway else { panic!("{midway:?}") };
    assert!(midway.is_unknown() && message == "context deadline exceeded:", "{message}");
    let runtime = error_of(500, r#"{"message":"OCI runtime create failed: sethostname: invalid argument"}"#).await;
    assert!(matches!(runtime, EngineError::Refused(_)), "{runtime:?}");
    let full_too = error_of(500, r#"{"message":"OCI runtime create failed: no space left on device"}"#).await;
    assert!(matches!(full_too, EngineError::DiskFull), "{full_too:?}");
    let refused = error_of(400, r#"{"message":"client version 1.1 is too old"}"#).await;
    assert!(matches!(refused, EngineError::Refused(_)) && !refused.is_unknown(), "{refused:?}");
    let removed = error_of(409, r#"{"message":"container is marked for removal and cannot be started"}"#).await;
    assert!(matches!(removed, EngineError::NoSuchContainer), "{removed:?}");
    let html = error_of(502, "<html>a proxy</html>").await;
    assert!(matches!(&html, EngineError::Other { status: 502, .. }), "{html:?}");
    for text in [
        r#"{"message":"network podspawn-x not found"}"#,
        r#"{"message":"failed to set up container networking: network podspawn-x not found"}"#,
        r#"{"message":"could not find a network matching network mode podspawn-x: network podspawn-x not found"}"#,
    ] {
        let error = error_of(404, text).await;
        assert!(matches!(error, EngineError::NoSuchNetwork), "{text}: {error:?}");
    }
}

#[tokio::test]
async fn a_text_of_the_engine_is_one_bounded_line_that_a_terminal_does_not_obey() {
    let body: &'static str = format!("{{\"message\":\"\\u001b[2J{}\\nmore\"}}", "ä".repeat(5_000)).leak();
    let error = Canned::answering(400, body).engine().start_container(&some_id()).await.unwrap_err();
    let EngineError::Refused(message) = error else { panic!("{error:?}") };
    assert_eq!(message.chars().count(), 300);
    assert!(message.starts_with("\u{fffd}[2Jä"), "{message}");
}

#[tokio::test]
async fn an_answer_that_is_not_the_apis_is_garbled_and_unknown() {
    for (status, body) in [(200, "{}"), (200, "not json"), (200, r#"[{"Id":"../x"}]"#), (200, "")] {
        let error = Canned::answering(status, body).engine().containers().await.unwrap_err();
        assert!(matches!(error, EngineError::Garbled(_)) && error.is_unknown(), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn a_pull_that_fails_midway_says_why() {
    let body = concat!(
        r#"{"status":"Pulling from library/debian","id":"12"}"#,
        "\r\n",
        r#"{"status":"Downloading","id":"abc","progressDetail":{"current":7,"total":9}}"#,
        "\r\n",
        r#"{"errorDetail":{"message":"toomanyrequests: slow down"},"error":"toomanyrequests: slow down"}"#,
        "\r\n"
    );
    let canned = Canned::answering(200, body);
    let mut steps = Vec::new();
    let error = canned.engine().pull(&"debian".parse().unwrap(), &mut |step| steps.push(step)).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::PullFailed { message, .. } if message == "toomanyrequests: slow down"),
        "{error:?}"
    );
    assert_eq!((steps[1].layer.as_deref(), steps[1].current, steps[1].total), (Some("abc"), Some(7), Some(9)));
    let line = canned.seen.lock().unwrap().pop().unwrap();
    assert!(line.contains("fromImage=debian%3Alatest"), "{line}");
}

#[tokio::test]
async fn events_are_read_and_those_of_no_use_are_passed_over() {
    let id = "a".repeat(64);
    let event = |action: &str, id: &str| {
        let line = serde_json::json!({
            "Type": "container", "Action": action, "time": 1, "timeNano": 1_000_000_000,
            "Actor": { "ID": id, "Attributes": { "signal": "15", "exitCode": "3", "managed-by": "podspawn" } },
        });
        format!("{line}\n")
    };
    let actions = ["kill", "pause", "oom", "die", "destroy"];
    let body: Vec<_> = [event("die", "../x")].into_iter().chain(actions.map(|action| event(action, &id))).collect();
    let canned = Canned::answering(200, body.concat().leak());
    let mut notices = Vec::new();
    let error = canned.engine().watch(&mut |notice| notices.push(notice)).await;
    assert!(matches!(error, EngineError::Unreachable(_)), "{error:?}");
    let container = some_id();
    let wanted = [
        Notice::Signalled { container: container.clone(), signal: 15 },
        Notice::OutOfMemory { container: container.clone() },
        Notice::Ended { container: container.clone() },
        Notice::Removed { container },
    ];
    notices.retain(|notice| *notice != Notice::Watching);
    assert_eq!(notices, wanted);
    let line = canned.seen.lock().unwrap().iter().find(|line| line.contains("/events")).cloned().unwrap();
    assert!(line.contains("since=") && line.contains("managed-by%3Dpodspawn"), "{line}");
}

#[tokio::test]
async fn an_engine_that_is_away_cannot_be_watched() {
    let directory = tempfile::tempdir().unwrap();
    let error = at(&directory.path().join("engine.sock")).watch(&mut |notice| panic!("{notice:?}")).await;
    assert!(matches!(error, EngineError::Unreachable(_)), "{error:?}");
}
