//! The audit queue: a transactional outbox between the state and the audit file.
//!
//! The contract:
//! 1. A record is queued in the state database in the same transaction as the change that it records, or neither is.
//! 2. It is then appended to the file, in the order of the numbers. What must not happen unrecorded uses
//!    [`AuditQueue::record_first`], which undoes both if the record does not reach the file.
//! 3. It stays queued for [`SAFE_AFTER`] after that. A record that a crash or a rotation lost is written again; none is lost
//!    with the broker or with a full disk, and none is written twice while the file or one of its copies has it.
//! 4. The queue is bounded ([`MAX_QUEUE_BYTES`]). Beyond it events are counted, and the count is recorded later.
//!
//! [`AuditQueue`] owns the file, the numbers and the failure. One task (`audit_writer`) looks after it while any record is
//! not yet safe.

use super::{AttachError, Auditing, allowance::Withheld};
use crate::{
    audit::{self, AuditError, AuditFile, FileStatus},
    event::{Event, Observer, Subject},
    store::{Store, StoreError},
    sys::crash,
};
use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often the file is looked at while lines are not known to be safe.
pub(super) const LOOK: Duration = Duration::from_secs(1);
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
    auditing: Option<Auditing>,
    file: Option<AuditFile>,
    /// The last number that was given.
    last: u64,
    /// Every line up to this one has been written.
    written: u64,
    /// The lines that were written since the file was opened or cut, as far as they are still queued.
    in_file: BTreeSet<u64>,
    /// Lines that were written and may have got lost.
    suspects: BTreeSet<u64>,
    failure: Option<Arc<AuditError>>,
    /// Up to which number was written when, for those that are still queued.
    recent: VecDeque<(Instant, u64)>,
    /// Bytes of the lines that are queued.
    queued: u64,
    /// What was not queued since there was no room.
    withheld: Option<Withheld>,
    /// Whether the task runs that looks after the queue.
    is_tended: bool,
    /// Whether a disconnect could not be queued; it is found again by its row.
    has_unrecorded: bool,
}

impl AuditQueue {
    pub(super) fn new(observer: Observer) -> Self {
        Self {
            observer,
            auditing: None,
            file: None,
            last: 0,
            written: 0,
            in_file: BTreeSet::new(),
            suspects: BTreeSet::new(),
            failure: None,
            recent: VecDeque::new(),
            queued: 0,
            withheld: None,
            is_tended: false,
            has_unrecorded: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.auditing.is_some()
    }

    pub(super) fn set_unrecorded(&mut self, has_unrecorded: bool) {
        self.has_unrecorded = has_unrecorded;
    }

    pub(super) fn has_unrecorded(&self) -> bool {
        self.has_unrecorded
    }

    /// Sets where the audit log is, and writes the queue. Opens the file anew, as after a rotation.
    pub(super) fn set_target(&mut self, auditing: Option<Auditing>, store: &Store) {
        let (was_on, path_before) = (self.is_on(), self.path());
        self.auditing = auditing;
        self.leave_old_file(path_before != self.path());
        if !was_on && self.is_on() {
            self.find_the_end(store);
        }
        if self.is_on() {
            self.write(store);
        }
    }

    fn path(&self) -> Option<PathBuf> {
        self.auditing.as_ref().map(|auditing| auditing.path.clone())
    }

    /// Closes the file if another is meant, or if it has no longer its name.
    fn leave_old_file(&mut self, is_other: bool) {
        match self.file.as_mut().map(AuditFile::status) {
            Some(FileStatus::Truncated) if !is_other => self.suspects.append(&mut self.in_file),
            Some(FileStatus::Same) if !is_other => {}
            _ => {
                self.file = None;
                self.in_file.clear();
            }
        }
    }

    /// Finds out which numbers were given before, here and in the file, and whether lines of then may be missing.
    fn find_the_end(&mut self, store: &Store) {
        let queued = store.last_line().unwrap_or(0);
        // If this fails, the first write reports it.
        self.file = self.path().and_then(|path| AuditFile::open(&path).ok());
        let in_file = self.file.as_ref().and_then(AuditFile::last_number).unwrap_or(0);
        // A database of yesterday has no record of what is missing today.
        if in_file <= queued {
            // Collecting numbers cannot fail.
            let _ = each(store, 0, |number, _| {
                self.suspects.insert(number);
                Ok(())
            });
        }
        self.measure(store);
        self.last = queued.max(in_file);
        self.written = self.last;
    }

    /// Opens the file if it is not open, and writes the queue. A failure is kept and reported once.
    pub(super) fn write(&mut self, store: &Store) {
        let failure = self.try_write(store).err().map(Arc::new);
        let had_failed = mem::replace(&mut self.failure, failure).is_some();
        match &self.failure {
            None if had_failed => (self.observer)(&Subject::default(), &Event::AuditWritten),
            Some(error) if !had_failed => {
                (self.observer)(&Subject::default(), &Event::AuditFailed { error: error.as_ref() });
            }
            _ => {}
        }
        self.note_written();
    }

    /// Notes when it was written as far as it is, once a [`LOOK`] at most.
    fn note_written(&mut self) {
        match self.recent.back_mut() {
            Some((_, number)) if *number == self.written => {}
            Some((at, number)) if at.elapsed() < LOOK => *number = self.written,
            _ => self.recent.push_back((Instant::now(), self.written)),
        }
    }

    fn try_write(&mut self, store: &Store) -> Result<(), AuditError> {
        let Some(path) = self.path() else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(AuditFile::open(&path)?),
        };
        match file.status() {
            FileStatus::Same | FileStatus::Gone => {}
            FileStatus::Truncated => self.suspects.append(&mut self.in_file),
            // The new file may not belong to the broker's account yet.
            FileStatus::Replaced => {
                if let Ok(other) = AuditFile::open(&path) {
                    *file = other;
                    self.in_file.clear();
                }
            }
        }
        write_lost(store, file, &mut self.suspects, &mut self.in_file, self.queued)?;
        each(store, self.written, |number, line| {
            file.append(line.as_bytes())?;
            crash::point("audit.line-appended");
            self.in_file.insert(number);
            self.written = number;
            Ok(())
        })
    }

    /// Why the file is not written, if it is not; tries to.
    pub(super) fn failing(&mut self, store: &Store) -> Option<Arc<AuditError>> {
        self.write(store);
        self.failure.clone()
    }

    /// Why nothing may happen that must not happen unrecorded, if so.
    fn prohibits(&self) -> Option<Arc<AuditError>> {
        let is_required = self.auditing.as_ref().is_some_and(|auditing| auditing.required);
        self.failure.clone().filter(|_| is_required)
    }

    /// Whether anything may happen that must not happen unrecorded.
    pub(super) fn check(&mut self, store: &Store) -> Result<(), AttachError> {
        if self.prohibits().is_some() {
            self.write(store);
        }
        self.prohibits().map_or(Ok(()), |failure| Err(AttachError::Audit(failure)))
    }

    /// Queues events together with `change`, and writes them. The change alone where nothing is audited.
    ///
    /// An error is the change's; that the lines are still waiting is no error here.
    pub(super) fn record<const N: usize>(
        &mut self,
        store: &Store,
        subject: &Subject<'_>,
        events: [Event<'_>; N],
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.is_on() {
            return change(store);
        }
        let (at, mut number) = (jiff::Timestamp::now(), self.last);
        let records = events.iter().filter_map(|event| Some((event.kind().name(), event.record(subject, at)?)));
        let lines: Vec<(u64, &str, String)> = records
            .map(|(name, record)| {
                number += 1;
                (number, name, audit::line(number, &record))
            })
            .collect();
        let bytes = lines.iter().map(|(_, _, line)| line.len() as u64).sum();
        if !self.has_room(store, bytes) {
            for (_, name, _) in &lines {
                Withheld::count(&mut self.withheld, name);
            }
            return change(store);
        }
        store.together(|store| {
            change(store)?;
            lines.iter().try_for_each(|(number, _, line)| store.queue_line(*number, line))
        })?;
        crash::point("audit.line-queued");
        self.last = number;
        self.queued += bytes;
        self.write(store);
        Ok(())
    }

    /// As [`Self::record`] for what must not happen unrecorded: if the line does not get into the file, `revert` undoes the
    /// change and the act is refused.
    pub(super) fn record_first(
        &mut self,
        store: &Store,
        subject: &Subject<'_>,
        event: Event<'_>,
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
        revert: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), AttachError> {
        self.check(store)?;
        self.record(store, subject, [event], change)?;
        let Some(failure) = self.prohibits() else { return Ok(()) };
        let number = self.last;
        store.together(|store| {
            revert(store)?;
            store.unqueue_line(number)
        })?;
        self.last = number - 1;
        Err(AttachError::Audit(failure))
    }

    /// Whether there is room for so many bytes more. In a flood lines are forgotten as soon as they are in the file.
    fn has_room(&mut self, store: &Store, bytes: u64) -> bool {
        let fits = |queue: &Self| queue.queued.saturating_add(bytes) <= MAX_QUEUE_BYTES;
        if !fits(self) {
            self.forget(store, Duration::ZERO);
        }
        fits(self)
    }

    /// What was not queued, once the file is written and there is room for so many bytes.
    pub(super) fn take_withheld(&mut self, store: &Store, bytes: u64) -> Option<Withheld> {
        if self.failure.is_none() && self.has_room(store, bytes) { self.withheld.take() } else { None }
    }

    /// True if the caller has to start the task that looks after the queue.
    pub(super) fn begin_tending(&mut self) -> bool {
        !mem::replace(&mut self.is_tended, true)
    }

    /// Forgets lines that are safe. True if nothing is left to look after: then the task ends.
    pub(super) fn end_tending(&mut self, store: &Store) -> bool {
        let is_over = self.settle(store, SAFE_AFTER) && !self.has_unrecorded;
        self.is_tended = !is_over;
        is_over
    }

    /// Writes what is queued and forgets all of it that is in the file.
    pub(super) fn close(&mut self, store: &Store) {
        if self.is_on() {
            self.write(store);
            self.settle(store, Duration::ZERO);
        }
    }

    /// Forgets what has been in the file for long enough, and gives its space back. True if nothing is left to look
    /// after.
    fn settle(&mut self, store: &Store, age: Duration) -> bool {
        self.forget(store, age);
        let has_shrunk = store.shrink().unwrap_or_else(|error| {
            tracing::debug!(%error, "shrinking the database");
            true
        });
        has_shrunk && self.recent.is_empty() && self.failure.is_none()
    }

    fn forget(&mut self, store: &Store, age: Duration) {
        let mut safe = None;
        while self.recent.front().is_some_and(|(at, _)| at.elapsed() >= age) {
            safe = self.recent.pop_front();
        }
        if let Some((_, number)) = safe.filter(|_| self.suspects.is_empty()) {
            if let Err(error) = store.settle_lines(number) {
                tracing::debug!(%error, "forgetting lines of the audit log");
            }
            self.in_file.retain(|other| *other > number);
            self.measure(store);
        }
    }

    fn measure(&mut self, store: &Store) {
        match store.queued_bytes() {
            Ok(bytes) => self.queued = bytes,
            Err(error) => tracing::debug!(%error, "measuring the audit log's queue"),
        }
    }
}

/// Writes again what is neither in the file nor in a copy of it.
fn write_lost(
    store: &Store,
    file: &mut AuditFile,
    suspects: &mut BTreeSet<u64>,
    in_file: &mut BTreeSet<u64>,
    queued: u64,
) -> Result<(), AuditError> {
    let Some(first) = suspects.first().copied() else { return Ok(()) };
    // Those that are written twice, because they were lost before, come on top.
    let found = file.numbers(2 * queued.min(MAX_QUEUE_BYTES));
    suspects.retain(|number| !found.contains(number));
    each(store, first.saturating_sub(1), |number, line| {
        if suspects.contains(&number) {
            file.append(line.as_bytes())?;
            suspects.remove(&number);
            in_file.insert(number);
        }
        Ok(())
    })?;
    // Those that are no longer queued have been safe for long.
    suspects.clear();
    Ok(())
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
