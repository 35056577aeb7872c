use super::*;
use std::path::PathBuf;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    task::LocalSet,
};

/// A server on a socket in `directory`, whose broker is gone.
fn server(directory: &tempfile::TempDir) -> (PathBuf, Tally) {
    let socket = directory.path().join("metrics.sock");
    let cache = ScrapeCache::start(directory.path().join("broker.sock"), directory.path().join("last.json"));
    let open = Tally::default();
    spawn_local(serve_unix(UnixListener::bind(&socket).unwrap(), cache, open.clone()));
    (socket, open)
}

async fn say(socket: &PathBuf, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn each_path_and_method_has_its_answer_and_every_connection_ends() {
    let directory = tempfile::tempdir().unwrap();
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            let (socket, _) = server(&directory);
            for (request, status, part) in [
                ("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK", "\npodspawn_up 0\n"),
                ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK", "version=0.0.4"),
                (
                    "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\n\r\n",
                    "200 OK",
                    "\n# EOF\n",
                ),
                ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK", "/metrics"),
                ("GET /../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", "404 Not Found", "nothing here"),
                (
                    "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
                    "405 Method Not Allowed",
                    "allow: GET, HEAD",
                ),
                ("nonsense\r\n\r\n", "400 Bad Request", ""),
            ] {
                let text = say(&socket, request).await;
                assert!(text.lines().next().unwrap().ends_with(status) && text.contains(part), "{request}: {text}");
            }
            let head = say(&socket, "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 200") && !head.contains("podspawn_up"), "{head}");
            let long = format!("GET /metrics HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD));
            let mut stream = UnixStream::connect(&socket).await.unwrap();
            // It may hang up before all is said.
            let _ = stream.write_all(long.as_bytes()).await;
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text).await;
            assert!(!String::from_utf8_lossy(&text).contains("200"), "{text:?}");
        })
        .await;
}

#[tokio::test]
async fn connections_without_a_request_do_not_keep_a_scrape_out() {
    let directory = tempfile::tempdir().unwrap();
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            let (socket, open) = server(&directory);
            let mut silent = Vec::new();
            for _ in 0..3 * super::super::connection_limit::MAX {
                let mut stream = UnixStream::connect(&socket).await.unwrap();
                let _ = stream.write_all(b"GET /metrics HT").await;
                silent.push(stream);
            }
            let began = std::time::Instant::now();
            let text = say(&socket, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
            assert!(text.contains("podspawn_up 0") && began.elapsed() < HEAD, "{text}");
            assert!(open.count() as usize <= super::super::connection_limit::MAX);
        })
        .await;
}
