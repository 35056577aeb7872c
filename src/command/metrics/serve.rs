//! HTTP: one question a connection, each with a deadline.

use super::{asker::Asker, crowd::Crowd};
use crate::openmetrics::{Dialect, render};
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
    sync::Notify,
    task::spawn_local,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may take altogether, with its answer.
const WHOLE: Duration = Duration::from_secs(20);
/// Largest head, in bytes: hyper's smallest.
const MAX_HEAD: usize = 8192;
/// Most lines of it.
const MAX_HEADERS: usize = 32;
/// How long nobody new is let in after a failure to do so, or while everybody who is connected is being answered.
const PAUSE: Duration = Duration::from_millis(50);

/// Whether anybody is connected, and when somebody last was.
#[derive(Default)]
pub(super) struct Use {
    open: Cell<u32>,
    changed: Notify,
}

impl Use {
    /// Waits until nobody has been connected for so long.
    pub(super) async fn none_for(&self, long: Duration) {
        let mut until = Instant::now() + long;
        loop {
            tokio::select! {
                () = self.changed.notified() => until = Instant::now() + long,
                () = sleep_until(until), if self.open.get() == 0 => return,
            }
        }
    }

    fn begin(self: &Rc<Self>) -> InUse {
        self.open.set(self.open.get() + 1);
        self.changed.notify_one();
        InUse(Rc::clone(self))
    }
}

struct InUse(Rc<Use>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.changed.notify_one();
    }
}

/// Lets people in from this host.
pub(super) async fn serve_tcp(listener: TcpListener, asker: Asker, usage: Rc<Use>) {
    let crowd = RefCell::default();
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        welcome(accepted, &crowd, &asker, &usage).await;
    }
}

/// Lets people in who may connect to the socket in the file system.
pub(super) async fn serve_unix(listener: UnixListener, asker: Asker, usage: Rc<Use>) {
    let crowd = RefCell::default();
    loop {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        welcome(accepted, &crowd, &asker, &usage).await;
    }
}

async fn welcome<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    accepted: io::Result<S>,
    crowd: &RefCell<Crowd>,
    asker: &Asker,
    usage: &Rc<Use>,
) {
    let Ok(stream) = accepted else { return sleep(PAUSE).await };
    while !crowd.borrow_mut().make_room() {
        sleep(PAUSE).await;
    }
    let (asker, in_use, said) = (asker.clone(), usage.begin(), Rc::new(Cell::new(false)));
    let says = Rc::clone(&said);
    let task = spawn_local(async move {
        let _in_use = in_use;
        let service = service_fn(move |request| {
            says.set(true);
            let asker = asker.clone();
            async move { Ok::<_, Infallible>(answer(&request, &asker).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // Whatever goes wrong is the client's affair.
        let _ = timeout(WHOLE, connection).await;
    });
    crowd.borrow_mut().add(task.abort_handle(), said);
}

async fn answer(request: &Request<Incoming>, asker: &Asker) -> Response<Full<Bytes>> {
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
    match asker.ask().await {
        Some(families) => response(StatusCode::OK, dialect.content_type(), render(&families, dialect).into()),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "too many ask\n"),
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
