//! Not more than so many in so long: what is more waits, where whoever sends it pays for it.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) struct Pace {
    most: u32,
    window: Duration,
    begin: Instant,
    count: u32,
}

impl Pace {
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, begin: Instant::now(), count: 0 }
    }

    /// Waits for the next turn and takes it. Cancel-safe: a turn that was not reached is not taken.
    pub(super) async fn wait(&mut self) {
        self.then(async || ()).await;
    }

    /// Does `act` when there is a turn, which is taken when it is done.
    pub(super) async fn then<T>(&mut self, act: impl AsyncFnOnce() -> T) -> T {
        if self.begin.elapsed() >= self.window {
            self.restart();
        }
        if self.count >= self.most {
            sleep_until(self.begin + self.window).await;
            self.restart();
        }
        let result = act().await;
        self.count += 1;
        result
    }

    fn restart(&mut self) {
        (self.begin, self.count) = (Instant::now(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_waits_for_the_next_window() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let window = Duration::from_millis(50);
            let (begin, mut pace) = (Instant::now(), Pace::new(3, window));
            for _ in 0..3 {
                pace.wait().await;
            }
            assert!(begin.elapsed() < window);
            pace.wait().await;
            assert!(begin.elapsed() >= window);
            assert_eq!(pace.then(async || 7).await, 7);
        });
    }
}
