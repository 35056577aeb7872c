//! HTTP: one request a connection, each with a deadline.

use super::{connection_limit::ConnectionLimit, scrape_cache::ScrapeCache};
use crate::{
    openmetrics::{Dialect, render},
    sys::tally::Tally,
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::spawn_local,
    time::{sleep, timeout},
};

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may take altogether, with its answer.
const WHOLE: Duration = Duration::from_secs(20);
/// Largest head, in bytes: hyper's smallest.
const MAX_HEAD: usize = 8192;
/// Most lines of it.
const MAX_HEADERS: usize = 32;
/// The pause before the next connection is accepted after a failure, or while every open one is being answered.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves a TCP socket.
pub(super) async fn serve_tcp(listener: TcpListener, cache: ScrapeCache, open: Tally) {
    let limit = RefCell::default();
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        serve(accepted, &limit, &cache, &open).await;
    }
}

/// Serves a Unix socket.
pub(super) async fn serve_unix(listener: UnixListener, cache: ScrapeCache, open: Tally) {
    let limit = RefCell::default();
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        serve(accepted, &limit, &cache, &open).await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    accepted: io::Result<S>,
    limit: &RefCell<ConnectionLimit>,
    cache: &ScrapeCache,
    open: &Tally,
) {
    let Ok(stream) = accepted else { return sleep(PAUSE).await };
    while !limit.borrow_mut().make_room() {
        sleep(PAUSE).await;
    }
    let (cache, guard, requested) = (cache.clone(), open.guard(), Rc::new(Cell::new(false)));
    let requests = Rc::clone(&requested);
    let task = spawn_local(async move {
        let _guard = guard;
        let service = service_fn(move |request| {
            requests.set(true);
            let cache = cache.clone();
            async move { Ok::<_, Infallible>(answer(&request, &cache).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // An error concerns the client alone.
        let _ = timeout(WHOLE, connection).await;
    });
    limit.borrow_mut().add(task.abort_handle(), requested);
}

async fn answer(request: &Request<Incoming>, cache: &ScrapeCache) -> Response<Full<Bytes>> {
    let plain = |status, text: &'static str| response(status, "text/plain; charset=utf-8", text.into());
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => {}
        "/" => return plain(StatusCode::OK, "podspawn: the metrics are under /metrics\n"),
        _ => return plain(StatusCode::NOT_FOUND, "nothing here; the metrics are under /metrics\n"),
    }
    let accept: Vec<&str> = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let dialect = Dialect::accepted(&accept.join(","));
    match cache.get().await {
        Some(families) => response(StatusCode::OK, dialect.content_type(), render(&families, dialect).into()),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait\n"),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
