//! Measurements of the broker, fetched by one scrape at a time and kept for a second, for any number of clients.

use crate::{command::scrape::scrape, protocol::measurements::Family};
use std::{path::PathBuf, rc::Rc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::{spawn_blocking, spawn_local},
    time::Instant,
};

/// How old an answer may be. A flood of requests costs the broker one call a second.
const FRESH: Duration = Duration::from_secs(1);
/// Most requests that wait at once; more than the limit of connections.
const MAX_WAITING: usize = 256;

type Answer = Rc<Vec<Family>>;

/// The cache, as its clients use it. Cheap to clone.
#[derive(Clone)]
pub(super) struct ScrapeCache(mpsc::Sender<oneshot::Sender<Answer>>);

impl ScrapeCache {
    pub(super) fn start(socket: PathBuf, last: PathBuf) -> Self {
        let (sender, mut requests) = mpsc::channel::<oneshot::Sender<Answer>>(MAX_WAITING);
        spawn_local(async move {
            let mut answered: Option<(Instant, Answer)> = None;
            let mut reported = None;
            while let Some(request) = requests.recv().await {
                let fresh =
                    answered.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, answer)| Rc::clone(answer));
                let answer = if let Some(answer) = fresh {
                    answer
                } else {
                    let (socket, last) = (socket.clone(), last.clone());
                    let Ok((families, error)) = spawn_blocking(move || scrape(&socket, &last)).await else { continue };
                    // Once, not at every scrape.
                    if let Some(error) = error.as_ref().filter(|error| reported.as_ref() != Some(*error)) {
                        tracing::warn!("nothing is measured: {error}");
                    }
                    reported = error;
                    let answer = Rc::new(families);
                    answered = Some((Instant::now(), Rc::clone(&answer)));
                    answer
                };
                // The client may have disconnected.
                let _ = request.send(answer);
            }
        });
        Self(sender)
    }

    /// The measurements, at most [`FRESH`] old; `None` if too many requests wait.
    pub(super) async fn get(&self) -> Option<Answer> {
        let (request, answer) = oneshot::channel();
        self.0.try_send(request).ok()?;
        answer.await.ok()
    }
}
