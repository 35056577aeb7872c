//! Removing a session: container first, then network, then row, so that the row always names what is left.

use super::{AttachError, Sessions, lifecycle::DestroyRecorded, live_session::Session};
use crate::{domain::Cause, engine::Engine, event::Event, store::StoreError, sys::crash};
use std::{pin::pin, rc::Rc, sync::Arc, time::Duration};
use tokio::time;

/// First pause before the engine is asked again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How long one removal keeps others waiting. A tenant can make its own container slow to remove, with a million files
/// for instance. A busy machine takes seconds for each.
const TURN: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(10) };

/// How often the removal of a failed creation is tried before the waiting clients get the error; it goes on afterwards.
const UNDO_TRIES: u32 = 3;

impl<E: Engine + 'static> Sessions<E> {
    /// Begins to destroy a running session. The removal is tried again until the engine has done it.
    pub(super) fn destroy(&self, session: &Rc<Session>, cause: Cause, reason: impl AsRef<str>) {
        let reason = reason.as_ref();
        if session.lifecycle.destroy() {
            self.mark_destroying(session, cause, reason);
            self.cut_off(session, reason);
            self.finish_destroying(session);
        }
    }

    /// Reports and records that a session is being removed: a later broker completes it.
    pub(super) fn mark_destroying(&self, session: &Session, cause: Cause, reason: &str) {
        self.remember(session, format!("your container was removed: {reason}"));
        self.notify(session, &Event::ContainerDestroy { cause: Some(cause), reason });
        crash::point("destroy.begun");
        self.begin_removal(session, reason);
    }

    /// Removes what a failed creation made, then returns its error to the waiting clients.
    pub(super) async fn undo(&self, session: &Rc<Session>, error: AttachError) {
        crash::point("destroy.undoing");
        let reason = format!("it could not be created: {error}");
        if !session.lifecycle.fail(Arc::new(error)) {
            return;
        }
        self.begin_removal(session, &reason);
        self.cut_off(session, &reason);
        let mut pause = RETRY.0;
        for _ in 0..UNDO_TRIES {
            match self.remove(session).await {
                Ok(()) => return self.forget(session),
                Err(error) => tracing::debug!(%error, session = %session.id, "removing what was made"),
            }
            time::sleep(pause).await;
            pause *= 2;
        }
        // The engine is away. The key stays taken, so that nothing is created twice.
        session.lifecycle.report_failure();
        self.remove_until_gone(session).await;
        self.forget(session);
    }

    /// Removes a session in a task of its own: one that is being destroyed, or that a crash left half made or half removed.
    pub(super) fn finish_destroying(&self, session: &Rc<Session>) {
        let (sessions, session) = (self.clone(), Rc::clone(session));
        tokio::task::spawn_local(async move {
            sessions.remove_until_gone(&session).await;
            sessions.forget(&session);
        });
    }

    /// Frees the key of a session that is over and wakes the tasks that wait for that.
    fn forget(&self, session: &Session) {
        self.0.registry.remove(&session.id);
        session.lifecycle.removed();
    }

    fn begin_removal(&self, session: &Session, reason: &str) {
        session.set_expiry(None);
        // The removal goes on even if this cannot be recorded: it is tried again before the row is deleted.
        if let Err(error) = self.record_destroy(session, reason) {
            tracing::debug!(%error, session = %session.id, "recording that the session ends");
        }
        crash::point("destroy.state-stored");
    }

    /// Ends the link to the guest, and with it the connections that are still open.
    pub(super) fn cut_off(&self, session: &Session, reason: &str) {
        for channel in session.guest.cut_off() {
            self.disconnected(session, channel, None, Some(reason));
        }
    }

    async fn remove_until_gone(&self, session: &Session) {
        let mut pause = RETRY.0;
        while let Err(error) = self.remove_in_turn(session).await {
            tracing::debug!(%error, session = %session.id, "removing a session; trying again");
            session.lifecycle.removal_failed(error);
            let hurried = async {
                session.lifecycle.hurried().await;
                // However many clients wait, the engine is not asked more often than this.
                time::sleep(RETRY.0).await;
            };
            tokio::select! {
                () = time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
                () = self.0.engine_watch.regained() => pause = RETRY.0,
                () = hurried => pause = RETRY.0 * 2,
            }
        }
    }

    /// Removes a session once few others are being removed, or at once if its user waits for that.
    async fn remove_in_turn(&self, session: &Session) -> Result<(), AttachError> {
        let turn = tokio::select! {
            turn = self.0.removals.acquire() => turn.ok(),
            () = session.lifecycle.hurried() => {
                // The client still waits if this fails.
                session.lifecycle.stay_hurried();
                None
            }
        };
        let mut removal = pin!(self.remove(session));
        if turn.is_some()
            && let Ok(done) = time::timeout(TURN, &mut removal).await
        {
            return done;
        }
        drop(turn);
        removal.await
    }

    /// Removes container, network, socket and row. Can be repeated.
    async fn remove(&self, session: &Session) -> Result<(), AttachError> {
        self.provision(session).remove().await?;
        let recorded = self.record_destroy(session, "it was found half made or half removed")?;
        self.record_all_disconnects(session)?;
        crash::point("destroy.ends-written");
        self.delete_row(session, recorded)?;
        crash::point("destroy.row-deleted");
        Ok(())
    }

    fn delete_row(&self, session: &Session, _: DestroyRecorded) -> Result<(), StoreError> {
        self.0.store.delete(&session.id)
    }
}
