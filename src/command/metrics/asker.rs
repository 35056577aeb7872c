//! Asking the broker: one question at a time, and none more often than its answer changes, whoever asks here.

use crate::{command::scrape::scrape, protocol::measurements::Family};
use std::{path::PathBuf, rc::Rc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::{spawn_blocking, spawn_local},
    time::Instant,
};

/// How old an answer may be. A flood of questions costs the broker one in a second.
const FRESH: Duration = Duration::from_secs(1);
/// Most that wait at once; more than there are connections.
const MAX_WAITING: usize = 256;

type Answer = Rc<Vec<Family>>;

/// Where questions are put. Cheap to clone.
#[derive(Clone)]
pub(super) struct Asker(mpsc::Sender<oneshot::Sender<Answer>>);

impl Asker {
    pub(super) fn start(socket: PathBuf, last: PathBuf) -> Self {
        let (sender, mut questions) = mpsc::channel::<oneshot::Sender<Answer>>(MAX_WAITING);
        spawn_local(async move {
            let mut answered: Option<(Instant, Answer)> = None;
            let mut told = None;
            while let Some(question) = questions.recv().await {
                let fresh =
                    answered.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, answer)| Rc::clone(answer));
                let answer = if let Some(answer) = fresh {
                    answer
                } else {
                    let (socket, last) = (socket.clone(), last.clone());
                    let Ok((families, error)) = spawn_blocking(move || scrape(&socket, &last)).await else { continue };
                    // Once, not at every scrape.
                    if let Some(error) = error.as_ref().filter(|error| told.as_ref() != Some(*error)) {
                        tracing::warn!("nothing is measured: {error}");
                    }
                    told = error;
                    let answer = Rc::new(families);
                    answered = Some((Instant::now(), Rc::clone(&answer)));
                    answer
                };
                // Whoever asked may have gone.
                let _ = question.send(answer);
            }
        });
        Self(sender)
    }

    /// What is measured, a moment ago at most; `None` if too many ask.
    pub(super) async fn ask(&self) -> Option<Answer> {
        let (question, answer) = oneshot::channel();
        self.0.try_send(question).ok()?;
        answer.await.ok()
    }
}
