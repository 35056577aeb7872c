//! A count of things in progress, kept by guards: calls that are being answered, open connections, waiting logins.

use std::{rc::Rc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// A count that goes up with each [`Guard`] and down when the guard is dropped. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Tally(Rc<watch::Sender<u32>>);

impl Tally {
    /// Counts one more, until the guard is dropped.
    #[must_use = "dropping the guard ends the count"]
    pub fn guard(&self) -> Guard {
        self.0.send_modify(|count| *count += 1);
        Guard(Self(Rc::clone(&self.0)))
    }

    /// The number of guards.
    #[must_use]
    pub fn count(&self) -> u32 {
        *self.0.borrow()
    }

    /// Whether no guard is held.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.count() == 0
    }

    /// Waits until no guard is held. Returns at once if none is. Cancel-safe.
    pub async fn zero(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Waits until no guard has been held for `pause`. Cancel-safe; a new call begins a new pause.
    pub async fn zero_for(&self, pause: Duration) {
        let mut changes = self.0.subscribe();
        let mut until = Instant::now() + pause;
        loop {
            tokio::select! {
                _ = changes.changed() => until = Instant::now() + pause,
                () = sleep_until(until), if self.is_zero() => return,
            }
        }
    }
}

/// One thing in progress, counted by a [`Tally`] until dropped.
#[derive(Debug)]
pub struct Guard(Tally);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Whether the future is ready at its first poll.
    async fn is_ready(future: impl Future<Output = ()>) -> bool {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_guard_counts_until_it_is_dropped() {
        let tally = Tally::default();
        let (first, second) = (tally.clone().guard(), tally.guard());
        assert_eq!(tally.count(), 2);
        drop(first);
        assert!(!is_ready(tally.zero()).await);
        let waiting = tally.zero();
        drop(second);
        waiting.await;
        assert!(tally.is_zero() && is_ready(tally.zero()).await);
    }

    #[tokio::test]
    async fn a_pause_begins_anew_with_each_guard() {
        let (tally, pause) = (Tally::default(), Duration::from_millis(20));
        let guard = tally.guard();
        let begin = Instant::now();
        let holds = async move {
            sleep_until(begin + pause).await;
            drop(guard);
        };
        tokio::join!(tally.zero_for(pause), holds);
        assert!(begin.elapsed() >= 2 * pause);
    }
}
