//! Asking the engine whether the container of a session still runs, the consequences if not, and the reason for its user.

use super::{Sessions, exit_cause::ExitCause, live_session::Session};
use crate::{
    domain::{SessionId, UserName},
    engine::{Engine, EngineError},
};
use std::{collections::HashSet, rc::Rc, time::Duration};
use tokio::{
    task,
    time::{self, timeout},
};

/// How much later than the end of a container the engine may learn that memory was the reason.
const MEMORY_DELAY: Duration = Duration::from_millis(250);

/// How long a client waits for an inspection of the container, and how long if its guest is connected: then it was the
/// connection alone that ended, most likely. Both together are less than [`crate::protocol::varlink::ENDED_TIMEOUT`].
const PATIENCE: Duration = Duration::from_millis(1500);
const PATIENCE_WITH_GUEST: Duration = Duration::from_millis(300);

impl<E: Engine + 'static> Sessions<E> {
    /// Inspects the session's container in a task of its own, and destroys the session if the container has ended.
    pub(super) fn inspect(&self, session: &Rc<Session>) {
        // One task, however often it is asked for.
        if !session.engine.request_inspection() {
            return;
        }
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            loop {
                session.engine.begin_inspection();
                if let Err(error) = sessions.destroy_if_dead(&session).await {
                    // Unknown is not absent. Every container is inspected again when the engine is back.
                    tracing::debug!(%error, session = %session.id, "inspecting a container");
                }
                if !session.is_running() || !session.engine.is_inspection_outdated() {
                    break;
                }
            }
            session.engine.end_inspection();
        });
    }

    /// Inspects every container that does not run: its event may have been missed.
    pub(super) async fn inspect_all(&self) {
        // Before the engine is asked: what is created later may not be in its answer.
        let sessions = self.0.registry.running();
        match self.0.engine.containers().await {
            Ok(found) => {
                let running: HashSet<_> = found.into_iter().filter(|one| one.running).map(|one| one.id).collect();
                let is_alive = |session: &Session| {
                    session.engine.container().is_some_and(|container| running.contains(&container))
                };
                sessions.iter().filter(|session| !is_alive(session)).for_each(|session| self.inspect(session));
            }
            // A session without a guest is watched anyway.
            Err(error) => tracing::debug!(%error, "listing the containers"),
        }
    }

    /// Destroys the session if the engine reports that its container has ended. Returns whether it has.
    pub(super) async fn destroy_if_dead(&self, session: &Rc<Session>) -> Result<bool, EngineError> {
        let Some(cause) = self.exit_cause(session).await? else { return Ok(false) };
        self.destroy_dead(session, cause);
        Ok(true)
    }

    /// Destroys a session whose container has ended.
    pub(super) fn destroy_dead(&self, session: &Rc<Session>, cause: ExitCause) {
        if session.is_running() {
            self.remember(session, cause.for_user());
            self.destroy(session, cause.into(), cause.to_string());
        }
    }

    /// Why the session's container ended; `None` while it runs.
    pub(super) async fn exit_cause(&self, session: &Session) -> Result<Option<ExitCause>, EngineError> {
        let first = self.inspect_container(session).await?;
        if !first.is_some_and(ExitCause::may_be_memory) {
            return Ok(first);
        }
        time::sleep(MEMORY_DELAY).await;
        match self.inspect_container(session).await {
            Ok(Some(ExitCause::OutOfMemory)) => Ok(Some(ExitCause::OutOfMemory)),
            _ => Ok(first),
        }
    }

    async fn inspect_container(&self, session: &Session) -> Result<Option<ExitCause>, EngineError> {
        let Some(container) = session.engine.container() else { return Ok(None) };
        match self.0.engine.inspect_container(&container).await {
            Ok(status) => Ok(ExitCause::of(&status, session.engine.clues(self.0.engine_watch.since()))),
            Err(EngineError::NoSuchContainer) => Ok(Some(ExitCause::Removed)),
            Err(error) => Err(error),
        }
    }

    /// Remembers the line for those who are connected.
    pub(super) fn remember(&self, session: &Session, text: String) {
        self.0.recent_ends.borrow_mut().add(session, text);
    }

    /// Why a session ended whose user is `allowed`, in a line for that user; `None` if it has not or the reason is unknown. Waits
    /// a moment where it may be just ending.
    pub async fn why_ended(&self, id: &SessionId, allowed: impl Fn(&UserName) -> bool) -> Option<String> {
        if let Some(session) =
            self.0.registry.find_id(id).filter(|session| allowed(&session.key.user) && session.is_running())
        {
            self.inspect(&session);
            let over = async |patience| timeout(patience, session.lifecycle.stopped_running()).await.is_ok();
            if !over(PATIENCE_WITH_GUEST).await && !session.guest.is_up() {
                over(PATIENCE).await;
            }
        }
        self.0.recent_ends.borrow().reason(id, allowed)
    }
}
