//! Ending a session: container first, then network, then row, so that what is left is always found by its row.

use super::{
    AttachError, Cause, Happening, Sessions,
    entry::{Phase, Session},
};
use crate::{engine::Engine, link::Link, sys::crash};
use std::{pin::pin, rc::Rc, sync::Arc, time::Duration};
use tokio::time;

/// First pause before the engine is asked again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Most sessions whose container and network the engine removes at once. It removes networks one after the other (about
/// 200 ms each), and containers side by side. Given all of a hundred at once it removes the containers of all of them
/// first, and no session is gone until then; with a few, a network is removed while the next containers are.
pub(super) const AT_ONCE: usize = 4;

/// How long one of them keeps others waiting. A tenant can make its own container slow to remove, with a million files
/// for instance. A busy machine takes seconds for each.
const TURN: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(10) };

/// How often what was made is tried to be removed before those who wait are told; the rest goes on behind them.
const UNDO_TRIES: u32 = 3;

impl<E: Engine + 'static> Sessions<E> {
    /// Begins to destroy, once; nobody can enter from now on. What the engine refuses is tried again until it is done.
    pub(super) fn destroy(&self, session: &Rc<Session>, cause: Cause, reason: impl AsRef<str>) {
        if !session.is_running() {
            return;
        }
        self.condemn(session, cause, reason.as_ref());
        self.close(session, reason.as_ref());
        self.finish_destroying(session);
    }

    /// Tells and writes that it ends: from now on nobody enters, and a crash does not forget it.
    pub(super) fn condemn(&self, session: &Session, cause: Cause, reason: &str) {
        self.remember(session, format!("your container was removed: {reason}"));
        self.notify(session, &Happening::Destroying { cause, reason });
        crash::point("destroy.begun");
        self.write_end(session, reason);
    }

    /// Removes what a failed creation made, then tells those who wait for it.
    pub(super) async fn undo(&self, session: &Rc<Session>, error: AttachError) {
        crash::point("destroy.undoing");
        let reason = format!("it could not be created: {error}");
        self.write_end(session, &reason);
        self.close(session, &reason);
        let failed = Phase::Failed(Arc::new(error));
        let mut pause = RETRY.0;
        for _ in 0..UNDO_TRIES {
            match self.remove(session).await {
                Ok(()) => {
                    session.phase.send_replace(failed);
                    return self.forget(session);
                }
                Err(error) => tracing::debug!(%error, session = %session.id, "removing what was made"),
            }
            time::sleep(pause).await;
            pause *= 2;
        }
        // The engine is away. The key stays taken, so that nothing is created twice.
        session.phase.send_replace(failed);
        self.remove_until_gone(session).await;
        self.forget(session);
    }

    /// Removes a session that is closed already, or that a crash left half made or half removed.
    pub(super) fn finish_destroying(&self, session: &Rc<Session>) {
        let (sessions, session) = (self.clone(), Rc::clone(session));
        tokio::task::spawn_local(async move {
            sessions.remove_until_gone(&session).await;
            sessions.forget(&session);
        });
    }

    fn write_end(&self, session: &Session, reason: &str) {
        session.phase.send_replace(Phase::Destroying);
        session.set_expiry(None);
        // Removing goes on even if this cannot be written: it is tried again before the row goes.
        if let Err(error) = self.record_destroy(session, reason) {
            tracing::debug!(%error, session = %session.id, "writing that the session ends");
        }
        crash::point("destroy.state-stored");
    }

    /// Cuts the guest off, and with it whoever is connected still.
    pub(super) fn close(&self, session: &Session, reason: &str) {
        session.link.replace(None);
        let channels = std::mem::take(&mut *session.channels.borrow_mut());
        for channel in channels {
            self.disconnected(session, channel, None, Some(reason));
        }
    }

    async fn remove_until_gone(&self, session: &Session) {
        let mut pause = RETRY.0;
        while let Err(error) = self.remove_in_turn(session).await {
            tracing::debug!(%error, session = %session.id, "removing a session; trying again");
            session.remains.send_modify(|(failures, last)| {
                *failures += 1;
                *last = Some(Arc::new(error));
            });
            let hurried = async {
                session.hurry.notified().await;
                // However many wait, the engine is not asked more often than this.
                time::sleep(RETRY.0).await;
            };
            tokio::select! {
                () = time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
                () = self.0.engine_back.notified() => pause = RETRY.0,
                () = hurried => pause = RETRY.0 * 2,
            }
        }
    }

    /// Removes a session once few others are being removed, or at once if its user waits for that.
    async fn remove_in_turn(&self, session: &Session) -> Result<(), AttachError> {
        let turn = tokio::select! {
            turn = self.0.removals.acquire() => turn.ok(),
            () = session.hurry.notified() => {
                // Whoever waits still does if this fails.
                session.hurry.notify_one();
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

    /// Why a session is not gone, once its removal has failed so often that whoever waits for it should know.
    pub(super) async fn remains(session: &Session) -> AttachError {
        let mut remains = session.remains.subscribe();
        let enough = remains.borrow().0 + UNDO_TRIES;
        session.hurry.notify_one();
        // The sender is the session's own, and outlives this.
        match remains.wait_for(|(failures, _)| *failures >= enough).await.map(|remains| remains.1.clone()) {
            Ok(Some(error)) => AttachError::Remains(error),
            _ => std::future::pending().await,
        }
    }

    /// Removes container, network, socket and row. Can be repeated.
    async fn remove(&self, session: &Session) -> Result<(), AttachError> {
        let failed = |step| move |source| AttachError::Engine { step, source };
        // Copied out first: a borrow must not live across an await.
        let container = session.container.borrow().clone();
        let network = session.network.borrow().clone();
        if let Some(container) = &container {
            self.0.engine.remove_container(container).await.map_err(failed("removing the container"))?;
            crash::point("destroy.container-removed");
        } else {
            // The answer that named it may have been lost: what was made for the session is meant.
            let found = self.containers().await.map_err(failed("looking for the container"))?;
            for found in found.iter().filter(|found| found.session.as_ref() == Some(&session.id)) {
                self.0.engine.remove_container(&found.id).await.map_err(failed("removing the container"))?;
                crash::point("destroy.found-container-removed");
            }
        }
        if let Some(network) = &network {
            self.0.engine.remove_network(network).await.map_err(failed("removing the network"))?;
            crash::point("destroy.network-removed");
        } else {
            let found = self.networks().await.map_err(failed("looking for the network"))?;
            for found in found.iter().filter(|found| found.session.as_ref() == Some(&session.id)) {
                self.0.engine.remove_network(&found.id).await.map_err(failed("removing the network"))?;
                crash::point("destroy.found-network-removed");
            }
        }
        Link::remove_directory(&self.0.sockets, &session.id)
            .map_err(|error| AttachError::Files("cannot remove the socket's directory", error))?;
        crash::point("destroy.directory-removed");
        self.record_destroy(session, "it was found half made or half removed")?;
        self.record_all_disconnects(session)?;
        crash::point("destroy.ends-written");
        self.0.store.delete(&session.id)?;
        crash::point("destroy.row-deleted");
        Ok(())
    }
}
