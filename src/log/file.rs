//! The log file: one writer, whole lines, through rotations by rename and by truncation.
//!
//! It is a copy of what the journal has: while it cannot be written, everything else goes on.

use super::line::Content;
use crate::sys::append::{append, is_same_file, write_whole};
use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;

/// Why the log file is not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogFileError {
    /// It cannot be opened.
    #[error("the log file {} cannot be opened", .0.display())]
    Open(PathBuf, #[source] Arc<io::Error>),
    /// A line did not get in.
    #[error("the log file {} cannot be written", .0.display())]
    Write(PathBuf, #[source] Arc<io::Error>),
}

/// The file, shared by the log and by the owner of the settings.
#[derive(Debug, Clone, Default)]
pub struct LogFile(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Where it is to be; nowhere without one.
    path: Option<PathBuf>,
    file: Option<File>,
    failing: Option<LogFileError>,
    /// Whether [`LogFile::news`] has reported that it fails.
    reported: bool,
}

impl LogFile {
    /// From now on lines go to `path`, or nowhere. Nothing happens where they went there before.
    pub fn write_to(&self, path: Option<&Path>) {
        let mut state = self.state();
        if state.path.as_deref() != path {
            let reported = state.reported;
            *state = State { path: path.map(Path::to_owned), reported, ..State::default() };
            state.open();
        }
    }

    /// Opens the file anew, as after a rotation.
    pub fn reopen(&self) {
        self.state().open();
    }

    /// Why it is not written, if it is not; looks whether it could be.
    #[must_use]
    pub fn failing(&self) -> Option<LogFileError> {
        let mut state = self.state();
        if state.path.is_some() && (state.failing.is_some() || state.is_replaced()) {
            state.open();
        }
        state.failing.clone()
    }

    /// Whether it stopped being written, or is written again, since this was last asked.
    #[must_use]
    pub fn news(&self) -> Option<Result<(), LogFileError>> {
        let mut state = self.state();
        if state.failing.is_some() == state.reported {
            return None;
        }
        state.reported = !state.reported;
        Some(state.failing.clone().map_or(Ok(()), Err))
    }

    fn write(&self, line: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.path.is_some() {
            state.write(line().as_bytes());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where it cannot be opened, what is open stays in use: a rotated file is better than none.
    fn open(&mut self) {
        let Some(path) = &self.path else { return };
        match append(path).and_then(|file| ends_a_line(&file).map(|()| file)) {
            Ok(file) => (self.file, self.failing) = (Some(file), None),
            Err(error) => self.failing = Some(LogFileError::Open(path.clone(), Arc::new(error))),
        }
    }

    fn write(&mut self, line: &[u8]) {
        if self.failing.is_some() || self.is_replaced() {
            self.open();
        }
        if let (Some(file), Some(path)) = (&mut self.file, &self.path)
            && let Err(error) = write_whole(file, line)
        {
            self.failing = Some(LogFileError::Write(path.clone(), Arc::new(error)));
        }
    }

    /// Whether another file has the name, or ours has no name any more. A file that was only renamed is written until
    /// [`LogFile::reopen`].
    fn is_replaced(&self) -> bool {
        let (Some(file), Some(path)) = (&self.file, &self.path) else { return true };
        let Ok(ours) = file.metadata() else { return true };
        ours.nlink() == 0 || std::fs::symlink_metadata(path).is_ok_and(|named| !is_same_file(&named, &ours))
    }
}

/// Ends the line that a power cut left without an end.
fn ends_a_line(file: &File) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    if last == [b'\n'] { Ok(()) } else { (&mut &*file).write_all(b"\n") }
}

/// Writes every event to the file.
#[derive(Debug)]
pub(super) struct Layer(pub(super) LogFile);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.write(|| Content::of(event).line(jiff::Timestamp::now(), *event.metadata().level()));
    }
}

#[cfg(test)]
mod tests;
