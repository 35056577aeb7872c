//! Recording events: in the log and the metrics by way of the observer, in the audit queue together with the change of the
//! state that they record.

use super::{
    AttachError, Sessions,
    allowance::{CONNECTION, REFUSAL},
    lifecycle::DestroyRecorded,
    live_session::Session,
};
use crate::{
    audit::{self, Run},
    domain::{ChannelId, Outcome, State, UserName},
    engine::Engine,
    event::{Event, Subject},
    protocol::guest::Program,
    store::{OpenConnection, Store, StoreError},
};
use std::collections::BTreeSet;

/// The reason of a disconnect that the broker did not see.
pub(super) const MISSED: &str = "it ended while the broker was away";

impl<E: Engine + 'static> Sessions<E> {
    /// Logs and counts an event of a session.
    pub(super) fn notify(&self, session: &Session, event: &Event<'_>) {
        with_subject(session, |subject| (self.0.observer)(subject, event));
    }

    /// Logs and counts an event of no session, and records it.
    pub(super) fn report(&self, subject: &Subject<'_>, event: Event<'_>) {
        (self.0.observer)(subject, &event);
        self.audit(subject, event);
    }

    /// Records a connection before it exists. Beyond the user's allowance it is only counted, and in no log.
    pub(super) fn connecting(
        &self,
        session: &Session,
        channel: ChannelId,
        program: &Program,
    ) -> Result<Run, AttachError> {
        let (kind, command) = match program {
            Program::Shell => ("shell", None),
            Program::Command(command) => ("command", Some(command.as_slice())),
            Program::Sftp => ("sftp", None),
        };
        let run = run(kind, command);
        // The command is in the log as well, at its end.
        let bytes = CONNECTION + 2 * run.cost() as u64;
        if !self.may_write(&session.key.user, "connect", bytes) {
            session.guest.leave_unlogged(channel);
            self.write_unaudited(session, channel);
            return self.check_audit().map(|()| run);
        }
        if !self.0.audit_queue.borrow().is_on() {
            self.write_unaudited(session, channel);
            return Ok(run);
        }
        let row = OpenConnection {
            kind: kind.to_owned(),
            command: command.map(|command| audit::beginning(command).to_vec()),
        };
        with_subject(session, |subject| {
            self.record_first(
                subject,
                Event::Connect { channel, run: &run },
                |store| store.open_connection(channel, &session.id, &row),
                |store| store.close_connection(channel, &session.id),
            )
        })?;
        Ok(run)
    }

    /// Stores a connection that is not audited. A full disk must not keep a user out of a
    /// container that runs: should the broker be restarted before the connection ends, it then does not count.
    fn write_unaudited(&self, session: &Session, channel: ChannelId) {
        if let Err(error) = self.0.store.open_connection(channel, &session.id, &OpenConnection::unaudited()) {
            tracing::debug!(%error, session = %session.id, "writing that a connection begins");
        }
    }

    /// Logs that a connection began.
    pub(super) fn connected(&self, session: &Session, channel: ChannelId, run: &Run) {
        if !session.guest.is_unlogged(channel) {
            self.notify(session, &Event::Connect { channel, run });
        }
    }

    /// Records and logs the end of a connection that is no longer among the session's.
    pub(super) fn disconnected(
        &self,
        session: &Session,
        channel: ChannelId,
        outcome: Option<Outcome>,
        reason: Option<&str>,
    ) {
        if let Err(error) = self.record_disconnect(session, channel, outcome, reason) {
            tracing::debug!(%error, session = %session.id, "writing that a connection ended");
            self.mark_unrecorded();
        }
        if !session.guest.forget_unlogged(channel) {
            let remaining = session.guest.connections();
            self.notify(session, &Event::Disconnect { channel, outcome, reason, remaining });
        }
    }

    fn record_disconnect(
        &self,
        session: &Session,
        channel: ChannelId,
        outcome: Option<Outcome>,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        // One that began without an audit log ends without it.
        let Some(connection) = self.connection(session, channel)?.filter(OpenConnection::is_audited) else {
            return self.0.store.close_connection(channel, &session.id);
        };
        // What is typed at a shell is no command.
        let run = Some(run(&connection.kind, connection.command.as_deref())).filter(|run| *run != Run::shell());
        with_subject(session, |subject| {
            let disconnect = Event::Disconnect { channel, outcome, reason, remaining: session.guest.connections() };
            let forget = |store: &Store| store.close_connection(channel, &session.id);
            let Some(run) = run else { return self.record(subject, [disconnect], forget) };
            let command = Event::Command { channel, run: &run, outcome };
            self.record(subject, [command, disconnect], forget)?;
            (self.0.observer)(subject, &command);
            Ok(())
        })
    }

    fn connection(&self, session: &Session, channel: ChannelId) -> Result<Option<OpenConnection>, StoreError> {
        if self.0.audit_queue.borrow().is_on() { self.0.store.connection(channel, &session.id) } else { Ok(None) }
    }

    /// The connections that the broker opened and whose end it has not heard of; `None` if that cannot be read.
    pub(super) fn opened(&self, session: &Session) -> Option<BTreeSet<ChannelId>> {
        let written = self.0.store.connections(&session.id).inspect_err(|_| self.mark_unrecorded()).ok()?;
        // A connection that could not be stored counts as long as this broker lives.
        Some(session.guest.channels().into_iter().chain(written).collect())
    }

    /// Records the disconnects that could not be recorded when they happened, in sessions whose guest is connected.
    pub(super) fn record_pending(&self) {
        self.0.audit_queue.borrow_mut().set_unrecorded(false);
        let sessions = self.0.registry.all();
        for session in sessions.iter().filter(|session| session.guest.is_up()) {
            let over = self.opened(session).unwrap_or_default();
            let over = over.difference(&session.guest.channels()).copied().collect::<Vec<_>>();
            for channel in over {
                if self.record_disconnect(session, channel, None, Some(MISSED)).is_err() {
                    self.mark_unrecorded();
                }
            }
        }
    }

    /// Records the end of every connection whose end is not recorded, before the session's row is deleted.
    pub(super) fn record_all_disconnects(&self, session: &Session) -> Result<(), StoreError> {
        if self.0.audit_queue.borrow().is_on() {
            for channel in self.0.store.connections(&session.id)? {
                self.record_disconnect(session, channel, None, Some("the container was removed"))?;
            }
        }
        Ok(())
    }

    /// Writes, once, that the session is being removed, and why.
    pub(super) fn record_destroy(&self, session: &Session, reason: &str) -> Result<DestroyRecorded, StoreError> {
        let write = |subject: &Subject<'_>| {
            self.record(subject, [Event::ContainerDestroy { cause: None, reason }], |store| {
                match store.set_state(&session.id, State::Destroying) {
                    // Another database was put in place: a session without a row still has a container.
                    Err(StoreError::NoSuchSession(_)) => Ok(()),
                    result => result,
                }
            })
        };
        session.lifecycle.record_destroy(|| with_subject(session, write))
    }

    /// Records that a user was refused. False if that is beyond the user's allowance: then it is not logged either.
    #[must_use]
    pub fn audit_denial(&self, user: &UserName, project: Option<&str>, uid: Option<u32>, reason: &str) -> bool {
        let may_write = self.may_write(user, "policy_deny", REFUSAL + 2 * reason.len() as u64);
        if may_write {
            let subject = Subject { user: Some(user.as_ref()), project, ..Subject::default() };
            self.audit(&subject, Event::PolicyDeny { uid, reason });
        }
        may_write
    }

    /// Whether a failed login of `user` may be in the log. Those that are not are counted.
    #[must_use]
    pub fn may_log_failure(&self, user: &UserName) -> bool {
        self.may_write(user, "attach_failed", REFUSAL)
    }

    /// Records an event that changes no row.
    pub(super) fn audit(&self, subject: &Subject<'_>, event: Event<'_>) {
        if let Err(error) = self.record(subject, [event], |_| Ok(())) {
            tracing::debug!(%error, "queuing an event of the audit log");
        }
    }

    fn mark_unrecorded(&self) {
        self.0.audit_queue.borrow_mut().set_unrecorded(true);
        self.run_audit_writer();
    }
}

/// What a connection runs, as the audit log has it.
fn run(kind: &str, command: Option<&[u8]>) -> Run {
    match (kind, command) {
        (_, Some(command)) => Run::command(command),
        ("sftp", None) => Run::sftp(),
        _ => Run::shell(),
    }
}

/// The session as the audit log names it.
fn with_subject<T>(session: &Session, work: impl FnOnce(&Subject<'_>) -> T) -> T {
    let (name, container) = (session.engine.name(), session.engine.container());
    work(&Subject::session(&session.key, &session.id, &name, container.as_ref()))
}
