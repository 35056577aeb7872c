//! The audit trail: what is told is queued in the state together with the change that it tells of, then written to the
//! file, then done.
//!
//! So an event is lost neither with the broker, nor with a full disk, nor in a rotation: it stays queued until it has
//! been in the file for a while, and what is not found there after a crash or a cut is written again.

use super::{AttachError, Sessions};
use crate::{
    audit::{AuditError, AuditFile, Event, Place, Subject, What},
    engine::Engine,
    store::{Store, StoreError},
    sys::crash,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task, time};

/// How often the file is looked at while lines are not known to be safe.
const LOOK: Duration = Duration::from_secs(1);
/// How long a line stays queued after it was written: a copytruncate may take as long from its last read to the cut.
const SAFE_AFTER: Duration = Duration::from_secs(30);
/// Lines that are written between two looks at anything else.
const BATCH: u32 = 64;
/// Most lines that wait for a file that cannot be written: some hundred MiB of a database at worst, usually some ten.
const MAX_QUEUE: u64 = 100_000;

/// Where the audit log is, and what it means that it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auditing {
    /// The file.
    pub path: PathBuf,
    /// Whether nobody gets in then.
    pub required: bool,
}

/// What is told of the audit log itself, once when it changes: why it cannot be written, or that it can be again.
pub type AuditObserver = Box<dyn Fn(Result<(), &AuditError>)>;

/// The file and the numbers.
pub(super) struct Trail {
    observer: AuditObserver,
    auditing: RefCell<Option<Auditing>>,
    file: RefCell<Option<AuditFile>>,
    /// The last number that was given.
    last: Cell<u64>,
    /// Every line up to this one has been written.
    written: Cell<u64>,
    /// The lines that were written since the file was opened or cut, as far as they are still queued.
    in_file: RefCell<BTreeSet<u64>>,
    /// Lines that were written and may have got lost.
    suspects: RefCell<BTreeSet<u64>>,
    failure: RefCell<Option<Arc<AuditError>>>,
    /// Up to which number was written when, for those that are still queued.
    recent: RefCell<VecDeque<(Instant, u64)>>,
    tended: Cell<bool>,
    /// Something could not be queued, and is found again by its row.
    owing: Cell<bool>,
}

impl Trail {
    pub(super) fn new(observer: AuditObserver) -> Self {
        Self {
            observer,
            auditing: RefCell::default(),
            file: RefCell::default(),
            last: Cell::new(0),
            written: Cell::new(0),
            in_file: RefCell::default(),
            suspects: RefCell::default(),
            failure: RefCell::default(),
            recent: RefCell::default(),
            tended: Cell::new(false),
            owing: Cell::new(false),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.auditing.borrow().is_some()
    }

    pub(super) fn set_owing(&self, owing: bool) {
        self.owing.set(owing);
    }

    /// Opens the file if it is not, and writes what is queued. The failure is remembered and told once.
    fn write(&self, store: &Store) {
        match self.try_write(store) {
            Ok(()) => {
                if self.failure.take().is_some() {
                    (self.observer)(Ok(()));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                if self.failure.replace(Some(Arc::clone(&error))).is_none() {
                    (self.observer)(Err(&error));
                }
            }
        }
        self.note_written();
    }

    /// Notes when it was written as far as it is, once a [`LOOK`] at most.
    fn note_written(&self) {
        let (mut recent, written) = (self.recent.borrow_mut(), self.written.get());
        match recent.back_mut() {
            Some((_, number)) if *number == written => {}
            Some((at, number)) if at.elapsed() < LOOK => *number = written,
            _ => recent.push_back((Instant::now(), written)),
        }
    }

    fn try_write(&self, store: &Store) -> Result<(), AuditError> {
        let Some(path) = self.auditing.borrow().as_ref().map(|auditing| auditing.path.clone()) else { return Ok(()) };
        let mut file = self.file.borrow_mut();
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(AuditFile::open(&path)?),
        };
        match file.place() {
            Place::Same | Place::Gone => {}
            Place::Truncated => self.suspects.borrow_mut().append(&mut self.in_file.borrow_mut()),
            // Whoever renames and creates may not have given the new one to us yet.
            Place::Replaced => {
                if let Ok(other) = AuditFile::open(&path) {
                    *file = other;
                    self.in_file.borrow_mut().clear();
                }
            }
        }
        self.write_lost(store, file)?;
        each(store, self.written.get(), |number, line| {
            file.append(line.as_bytes())?;
            crash::point("audit.line-appended");
            self.in_file.borrow_mut().insert(number);
            self.written.set(number);
            Ok(())
        })
    }

    /// Why the file is not written, if it is not; tries to.
    pub(super) fn failing(&self, store: &Store) -> Option<Arc<AuditError>> {
        self.write(store);
        self.failure.borrow().clone()
    }

    /// Gives the file up if another is meant, or if it has no longer its name.
    fn leave_old_file(&self, other: bool) {
        let mut file = self.file.borrow_mut();
        match file.as_mut().map(AuditFile::place) {
            Some(Place::Truncated) if !other => self.suspects.borrow_mut().append(&mut self.in_file.borrow_mut()),
            Some(Place::Same) if !other => {}
            _ => {
                *file = None;
                self.in_file.take();
            }
        }
    }

    /// Writes again what is neither in the file nor in a copy of it.
    fn write_lost(&self, store: &Store, file: &mut AuditFile) -> Result<(), AuditError> {
        let mut suspects = self.suspects.borrow_mut();
        let Some(first) = suspects.first().copied() else { return Ok(()) };
        let found = file.numbers();
        suspects.retain(|number| !found.contains(number));
        each(store, first.saturating_sub(1), |number, line| {
            if suspects.contains(&number) {
                file.append(line.as_bytes())?;
                suspects.remove(&number);
                self.in_file.borrow_mut().insert(number);
            }
            Ok(())
        })?;
        // Those that are no longer queued have been safe for long.
        suspects.clear();
        Ok(())
    }

    /// Forgets what has been in the file for long enough. True if nothing is left to look after.
    fn settle(&self, store: &Store, age: Duration) -> bool {
        let mut recent = self.recent.borrow_mut();
        let mut safe = None;
        while recent.front().is_some_and(|(at, _)| at.elapsed() >= age) {
            safe = recent.pop_front();
        }
        if let Some((_, number)) = safe.filter(|_| self.suspects.borrow().is_empty()) {
            if let Err(error) = store.settle_lines(number) {
                tracing::debug!(%error, "forgetting lines of the audit log");
            }
            self.in_file.borrow_mut().retain(|other| *other > number);
        }
        recent.is_empty() && self.failure.borrow().is_none()
    }
}

impl<E: Engine + 'static> Sessions<E> {
    /// Sets where the audit log is; also opens the file anew, as after a rotation.
    pub fn audit_to(&self, auditing: Option<Auditing>) {
        let trail = &self.0.trail;
        let path = |auditing: &Option<Auditing>| auditing.as_ref().map(|auditing| auditing.path.clone());
        let before = trail.auditing.replace(auditing);
        trail.leave_old_file(path(&before) != path(&trail.auditing.borrow()));
        if before.is_none() && trail.is_on() {
            self.find_the_end();
        }
        if trail.is_on() {
            trail.write(&self.0.store);
            self.tend_trail();
        }
    }

    /// Finds out which numbers were given before, here and in the file, and whether lines of then may be missing.
    fn find_the_end(&self) {
        let trail = &self.0.trail;
        let queued = self.0.store.last_line().unwrap_or(0);
        let path = trail.auditing.borrow().as_ref().map(|auditing| auditing.path.clone());
        // Where this fails, the first write tells.
        let file = path.and_then(|path| AuditFile::open(&path).ok());
        let in_file = file.as_ref().and_then(AuditFile::last_number).unwrap_or(0);
        trail.file.replace(file);
        // A database of yesterday knows nothing of what is missing today.
        if in_file <= queued {
            let mut suspects = trail.suspects.borrow_mut();
            // Into memory nothing can fail to be written.
            let _ = each(&self.0.store, 0, |number, _| {
                suspects.insert(number);
                Ok(())
            });
        }
        trail.last.set(queued.max(in_file));
        trail.written.set(queued.max(in_file));
    }

    /// Looks at the audit log for the last time.
    pub fn close_audit(&self) {
        if self.0.trail.is_on() {
            self.0.trail.write(&self.0.store);
            self.0.trail.settle(&self.0.store, Duration::ZERO);
        }
    }

    /// Queues events together with `change`, and writes them. The change alone where nothing is audited.
    ///
    /// An error is the change's; that the lines are still waiting is no error here.
    pub(super) fn record<const N: usize>(
        &self,
        subject: &Subject<'_>,
        events: [What<'_>; N],
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (trail, store) = (&self.0.trail, &self.0.store);
        if !trail.is_on() {
            return change(store);
        }
        if trail.last.get() - trail.written.get() >= MAX_QUEUE {
            tracing::debug!("an event is not in the audit log: too many wait for it");
            return change(store);
        }
        let (at, mut number) = (jiff::Timestamp::now(), trail.last.get());
        store.together(|store| {
            change(store)?;
            for what in events {
                number += 1;
                store.queue_line(number, &Event { at, what, subject }.line(number))?;
            }
            Ok(())
        })?;
        crash::point("audit.line-queued");
        trail.last.set(number);
        trail.write(store);
        self.tend_trail();
        Ok(())
    }

    /// As [`Self::record`] for what must not happen unseen: if the line does not get into the file, `revert` undoes the
    /// change and the act is refused.
    pub(super) fn record_first(
        &self,
        subject: &Subject<'_>,
        event: What<'_>,
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
        revert: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), AttachError> {
        let trail = &self.0.trail;
        let required = trail.auditing.borrow().as_ref().is_some_and(|auditing| auditing.required);
        let failed = || trail.failure.borrow().clone().filter(|_| required);
        if failed().is_some() {
            trail.write(&self.0.store);
            if let Some(failure) = failed() {
                return Err(AttachError::Audit(failure));
            }
        }
        self.record(subject, [event], change)?;
        let Some(failure) = failed() else { return Ok(()) };
        let number = trail.last.get();
        self.0.store.together(|store| {
            revert(store)?;
            store.unqueue_line(number)
        })?;
        trail.last.set(number - 1);
        Err(AttachError::Audit(failure))
    }

    /// Keeps looking at the file until every line is safe.
    pub(super) fn tend_trail(&self) {
        if self.0.trail.tended.replace(true) {
            return;
        }
        let sessions = std::rc::Rc::downgrade(&self.0);
        task::spawn_local(async move {
            loop {
                time::sleep(LOOK).await;
                let Some(inner) = sessions.upgrade() else { return };
                let sessions = Self(inner);
                let trail = &sessions.0.trail;
                trail.write(&sessions.0.store);
                if trail.owing.get() {
                    sessions.pay();
                }
                if trail.settle(&sessions.0.store, SAFE_AFTER) && !trail.owing.get() {
                    return trail.tended.set(false);
                }
            }
        });
    }
}

/// Every queued line above `after`. A database that cannot be read now is asked again at the next event.
fn each(
    store: &Store,
    mut after: u64,
    mut work: impl FnMut(u64, &str) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    loop {
        let lines = store.queued_lines(after, BATCH).unwrap_or_else(|error| {
            tracing::debug!(%error, "reading the audit log's queue");
            Vec::new()
        });
        let Some((last, _)) = lines.last() else { return Ok(()) };
        after = *last;
        for (number, line) in &lines {
            work(*number, line)?;
        }
    }
}
