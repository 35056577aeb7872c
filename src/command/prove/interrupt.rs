//! Signals that end a run early.

use crate::sys::signalfd::SignalFd;
use std::cell::Cell;

/// The signals with which a user or systemd ends a program.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Whether the run is to end. From its making on, the signals have no other effect.
pub(crate) struct Interrupt {
    signals: SignalFd,
    hit: Cell<bool>,
}

impl Interrupt {
    /// Made before any other thread: in another thread a signal has its default effect.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { signals: SignalFd::new(&SIGNALS)?, hit: Cell::new(false) })
    }

    /// Whether a signal has arrived.
    pub(super) fn is_hit(&self) -> bool {
        if matches!(self.signals.next(), Ok(Some(_))) {
            self.hit.set(true);
        }
        self.hit.get()
    }
}
