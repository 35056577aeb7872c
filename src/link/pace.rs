//! A rate whose excess waits: the sender of too many packets waits for its next turn.

use crate::sys::rate::Rate;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) struct Pace(Rate);

impl Pace {
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self(Rate::new(most, window, Instant::now().into()))
    }

    /// Waits for the next turn and takes it. Cancel-safe: a turn that was not reached is not taken.
    pub(super) async fn wait(&mut self) {
        self.then(async || ()).await;
    }

    /// Waits for a turn, does `act`, then takes the turn.
    pub(super) async fn then<T>(&mut self, act: impl AsyncFnOnce() -> T) -> T {
        while let Some(until) = self.0.full_until(Instant::now().into()) {
            sleep_until(until.into()).await;
        }
        let result = act().await;
        self.0.take();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_too_many_waits_for_the_next_window() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let window = Duration::from_millis(50);
            let (begin, mut pace) = (Instant::now(), Pace::new(3, window));
            for _ in 0..3 {
                pace.wait().await;
            }
            pace.wait().await;
            assert!(begin.elapsed() >= window);
            assert_eq!(pace.then(async || 7).await, 7);
        });
    }
}
