//! What a human who waits at a terminal sees: one line, rewritten, and gone when the shell begins.

use crate::{domain::text::one_line, protocol::varlink::Progress};
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// Nothing is shown for a wait shorter than this: a flicker tells nobody anything.
const PATIENCE: Duration = Duration::from_millis(400);

pub(super) struct Display {
    enabled: bool,
    began: Instant,
    shown: bool,
}

impl Display {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, began: Instant::now(), shown: false }
    }

    /// Shows a step, replacing the last.
    pub(super) fn show(&mut self, progress: &Progress) {
        // A pull is worth a line from its first moment, the milliseconds of a creation are not.
        if self.enabled && (self.began.elapsed() >= PATIENCE || progress.total.is_some()) {
            self.shown = true;
            let _ = write!(std::io::stderr(), "\r\x1b[Kpodspawn: {}", line(progress));
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(progress: &Progress) -> String {
    // The text comes from the engine in part: nothing in it may move the cursor.
    let step: String = one_line(&progress.step).chars().take(120).collect();
    match (progress.done, progress.total) {
        (Some(done), Some(total)) if total > 0 => {
            format!("{step} … {} %  ({} of {} MB)", done.min(total) * 100 / total, done / 1_000_000, total / 1_000_000)
        }
        _ => format!("{step} …"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_move_the_cursor() {
        let progress = Progress { step: "pulling \x1b[2J\r\nx".into(), done: Some(5), total: Some(10) };
        assert_eq!(line(&progress), "pulling \u{fffd}[2J  x … 50 %  (0 of 0 MB)");
        assert_eq!(line(&Progress { step: "creating".into(), ..Progress::default() }), "creating …");
    }
}
