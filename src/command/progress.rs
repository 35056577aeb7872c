//! The progress line on a terminal: rewritten with each step, and removed when the shell starts.

use crate::{domain::text::one_line, protocol::varlink::Step};
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// A shorter wait shows nothing, so that no line flickers.
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
    pub(super) fn show(&mut self, step: &Step) {
        // A pull shows its progress from the start; a creation takes milliseconds as a rule.
        if self.enabled && (self.began.elapsed() >= PATIENCE || step.total.is_some()) {
            self.shown = true;
            let _ = write!(std::io::stderr(), "\r\x1b[Kpodspawn: {}", line(step));
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(step: &Step) -> String {
    // Part of the text comes from the engine: it cannot move the cursor.
    let text: String = one_line(&step.text).chars().take(120).collect();
    match (step.done, step.total) {
        (Some(done), Some(total)) if total > 0 => {
            format!("{text} … {} %  ({} of {} MB)", done.min(total) * 100 / total, done / 1_000_000, total / 1_000_000)
        }
        _ => format!("{text} …"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_move_the_cursor() {
        let step = Step { text: "pulling \x1b[2J\r\nx".into(), done: Some(5), total: Some(10) };
        assert_eq!(line(&step), "pulling \u{fffd}[2J  x … 50 %  (0 of 0 MB)");
        assert_eq!(line(&Step::new("creating")), "creating …");
    }
}
