//! The audit queue: a transactional outbox between the state and the audit file.
//!
//! The contract:
//! 1. A record is queued in the state database in the same transaction as the change that it records, or neither is.
//! 2. It is then appended to the file, in the order of the numbers. What must not happen unrecorded uses
//!    [`Sessions::record_first`], which undoes both if the record does not reach the file.
//! 3. It stays queued for [`SAFE_AFTER`] after that. A record that a crash or a rotation lost is written again; none is lost
//!    with the broker or with a full disk, and none is written twice while the file or one of its copies has it.
//! 4. The queue is bounded ([`MAX_QUEUE_BYTES`]). Beyond it events are counted, and the count is recorded later.
//!
//! [`AuditQueue`] owns the file, the numbers and the failure. One task ([`Sessions::run_audit_writer`]) looks after it while
//! any record is not yet safe.

use super::{AttachError, Auditing, Observer, Sessions, allowance::Withheld};
use crate::{
    audit::{self, AuditError, AuditFile, FileStatus},
    engine::Engine,
    event::{Event, Subject},
    store::{Store, StoreError},
    sys::crash,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
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
/// Most bytes of lines that are queued: the database has no more of them, and no more of a file's end is searched for those
/// that may have got lost.
const MAX_QUEUE_BYTES: u64 = 32 << 20;

/// The file and the numbers.
pub(super) struct AuditQueue {
    observer: Observer,
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
    pub(super) failure: RefCell<Option<Arc<AuditError>>>,
    /// Up to which number was written when, for those that are still queued.
    recent: RefCell<VecDeque<(Instant, u64)>>,
    /// Bytes of the lines that are queued.
    queued: Cell<u64>,
    /// What was not queued since there was no room.
    pub(super) withheld: RefCell<Option<Withheld>>,
    tended: Cell<bool>,
    /// Something could not be queued, and is found again by its row.
    unrecorded_disconnects: Cell<bool>,
}

impl AuditQueue {
    pub(super) fn new(observer: Observer) -> Self {
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
            queued: Cell::new(0),
            withheld: RefCell::default(),
            tended: Cell::new(false),
            unrecorded_disconnects: Cell::new(false),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.auditing.borrow().is_some()
    }

    pub(super) fn set_unrecorded(&self, unrecorded: bool) {
        self.unrecorded_disconnects.set(unrecorded);
    }

    /// Opens the file if it is not open, and writes the queue. A failure is kept and reported once.
    fn write(&self, store: &Store) {
        match self.try_write(store) {
            Ok(()) => {
                if self.failure.take().is_some() {
                    (self.observer)(&Subject::default(), &Event::AuditWritten);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                if self.failure.replace(Some(Arc::clone(&error))).is_none() {
                    (self.observer)(&Subject::default(), &Event::AuditFailed { error: error.as_ref() });
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
        match file.status() {
            FileStatus::Same | FileStatus::Gone => {}
            FileStatus::Truncated => self.suspects.borrow_mut().append(&mut self.in_file.borrow_mut()),
            // The new file may not belong to the broker's account yet.
            FileStatus::Replaced => {
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

    /// Why nothing may happen that must not happen unseen, if so.
    fn prohibits(&self) -> Option<Arc<AuditError>> {
        let required = self.auditing.borrow().as_ref().is_some_and(|auditing| auditing.required);
        self.failure.borrow().clone().filter(|_| required)
    }

    /// Gives the file up if another is meant, or if it has no longer its name.
    fn leave_old_file(&self, other: bool) {
        let mut file = self.file.borrow_mut();
        match file.as_mut().map(AuditFile::status) {
            Some(FileStatus::Truncated) if !other => self.suspects.borrow_mut().append(&mut self.in_file.borrow_mut()),
            Some(FileStatus::Same) if !other => {}
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
        // Those that are written twice, because they were lost before, come on top.
        let found = file.numbers(2 * self.queued.get().min(MAX_QUEUE_BYTES));
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

    /// Forgets what has been in the file for long enough, and gives its space back. True if nothing is left to look
    /// after.
    fn settle(&self, store: &Store, age: Duration) -> bool {
        self.forget(store, age);
        let has_shrunk = store.shrink().unwrap_or_else(|error| {
            tracing::debug!(%error, "shrinking the database");
            true
        });
        has_shrunk && self.recent.borrow().is_empty() && self.failure.borrow().is_none()
    }

    fn forget(&self, store: &Store, age: Duration) {
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
            self.measure(store);
        }
    }

    fn measure(&self, store: &Store) {
        match store.queued_bytes() {
            Ok(bytes) => self.queued.set(bytes),
            Err(error) => tracing::debug!(%error, "measuring the audit log's queue"),
        }
    }

    /// Whether there is room for so many bytes more. In a flood lines are forgotten as soon as they are in the file.
    pub(super) fn has_room(&self, store: &Store, bytes: u64) -> bool {
        let fits = || self.queued.get().saturating_add(bytes) <= MAX_QUEUE_BYTES;
        if !fits() {
            self.forget(store, Duration::ZERO);
        }
        fits()
    }
}

impl<E: Engine + 'static> Sessions<E> {
    /// Sets where the audit log is; also opens the file anew, as after a rotation.
    pub fn audit_to(&self, auditing: Option<Auditing>) {
        let queue = &self.0.audit_queue;
        let path = |auditing: &Option<Auditing>| auditing.as_ref().map(|auditing| auditing.path.clone());
        let before = queue.auditing.replace(auditing);
        queue.leave_old_file(path(&before) != path(&queue.auditing.borrow()));
        if before.is_none() && queue.is_on() {
            self.find_the_end();
        }
        if queue.is_on() {
            queue.write(&self.0.store);
            self.run_audit_writer();
        }
    }

    /// Finds out which numbers were given before, here and in the file, and whether lines of then may be missing.
    fn find_the_end(&self) {
        let queue = &self.0.audit_queue;
        let queued = self.0.store.last_line().unwrap_or(0);
        let path = queue.auditing.borrow().as_ref().map(|auditing| auditing.path.clone());
        // If this fails, the first write reports it.
        let file = path.and_then(|path| AuditFile::open(&path).ok());
        let in_file = file.as_ref().and_then(AuditFile::last_number).unwrap_or(0);
        queue.file.replace(file);
        // A database of yesterday knows nothing of what is missing today.
        if in_file <= queued {
            let mut suspects = queue.suspects.borrow_mut();
            // Into memory nothing can fail to be written.
            let _ = each(&self.0.store, 0, |number, _| {
                suspects.insert(number);
                Ok(())
            });
        }
        queue.measure(&self.0.store);
        queue.last.set(queued.max(in_file));
        queue.written.set(queued.max(in_file));
    }

    /// Looks at the audit log for the last time.
    pub fn close_audit(&self) {
        self.report_all();
        if self.0.audit_queue.is_on() {
            self.0.audit_queue.write(&self.0.store);
            self.0.audit_queue.settle(&self.0.store, Duration::ZERO);
        }
    }

    /// Queues events together with `change`, and writes them. The change alone where nothing is audited.
    ///
    /// An error is the change's; that the lines are still waiting is no error here.
    pub(super) fn record<const N: usize>(
        &self,
        subject: &Subject<'_>,
        events: [Event<'_>; N],
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (queue, store) = (&self.0.audit_queue, &self.0.store);
        if !queue.is_on() {
            return change(store);
        }
        let (at, mut number) = (jiff::Timestamp::now(), queue.last.get());
        let records = events.iter().filter_map(|event| Some((event.kind().name(), event.record(subject, at)?)));
        let lines: Vec<(u64, &str, String)> = records
            .map(|(name, record)| {
                number += 1;
                (number, name, audit::line(number, &record))
            })
            .collect();
        let bytes = lines.iter().map(|(_, _, line)| line.len() as u64).sum();
        if !queue.has_room(store, bytes) {
            for (_, name, _) in &lines {
                Withheld::count(&mut queue.withheld.borrow_mut(), name);
            }
            self.run_audit_writer();
            return change(store);
        }
        store.together(|store| {
            change(store)?;
            lines.iter().try_for_each(|(number, _, line)| store.queue_line(*number, line))
        })?;
        crash::point("audit.line-queued");
        queue.last.set(number);
        queue.queued.set(queue.queued.get() + bytes);
        queue.write(store);
        self.run_audit_writer();
        Ok(())
    }

    /// As [`Self::record`] for what must not happen unseen: if the line does not get into the file, `revert` undoes the
    /// change and the act is refused.
    pub(super) fn record_first(
        &self,
        subject: &Subject<'_>,
        event: Event<'_>,
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
        revert: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), AttachError> {
        let queue = &self.0.audit_queue;
        self.check_audit()?;
        self.record(subject, [event], change)?;
        let Some(failure) = queue.prohibits() else { return Ok(()) };
        let number = queue.last.get();
        self.0.store.together(|store| {
            revert(store)?;
            store.unqueue_line(number)
        })?;
        queue.last.set(number - 1);
        Err(AttachError::Audit(failure))
    }

    /// Whether anything may happen that must not happen unseen.
    pub(super) fn check_audit(&self) -> Result<(), AttachError> {
        let queue = &self.0.audit_queue;
        if queue.prohibits().is_some() {
            queue.write(&self.0.store);
        }
        queue.prohibits().map_or(Ok(()), |failure| Err(AttachError::Audit(failure)))
    }

    /// Keeps looking at the file until every line is safe.
    pub(super) fn run_audit_writer(&self) {
        if self.0.audit_queue.tended.replace(true) {
            return;
        }
        let sessions = std::rc::Rc::downgrade(&self.0);
        task::spawn_local(async move {
            loop {
                time::sleep(LOOK).await;
                let Some(inner) = sessions.upgrade() else { return };
                let sessions = Self(inner);
                let queue = &sessions.0.audit_queue;
                queue.write(&sessions.0.store);
                if queue.unrecorded_disconnects.get() {
                    sessions.record_pending();
                }
                sessions.report_withheld();
                if queue.settle(&sessions.0.store, SAFE_AFTER) && !queue.unrecorded_disconnects.get() {
                    return queue.tended.set(false);
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
