//! When a session ends by itself: the grace period, the lifetime, and the notices before it.

use super::{Sessions, clock::now, deadlines::Due, live_session::Session};
use crate::{
    domain::{Cause, Mode, State},
    engine::Engine,
    sys::crash,
};
use std::{rc::Rc, time::Duration};
use tokio::{task, time};

/// The longest sleep: deadlines are times of day, and the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long after the grace period to wait for an absent guest that has yet to name its connections, in seconds. After
/// that it will not come back: no client can enter, and the session had no connection when the guest was last present.
const ABSENT_FOR_GOOD: i64 = 60;

/// How long the connections of a session that is being removed may take to deliver their last bytes.
const LAST_BYTES: Duration = Duration::from_secs(2);

const GRACE_IS_OVER: &str = "the grace period is over";

impl<E: Engine + 'static> Sessions<E> {
    /// Applies the mode if no client is connected or about to enter.
    pub(super) fn check_deserted(&self, session: &Rc<Session>) {
        if !session.is_deserted() || !session.guest.is_up() || session.lifecycle.abandoned().is_some() {
            return;
        }
        if session.rules().mode == Mode::DestroyOnDisconnect {
            return self.destroy(session, Cause::Disconnect, "the last connection ended");
        }
        let since = now();
        if !session.lifecycle.abandon(since) {
            return;
        }
        if let Err(error) = self.0.store.set_grace(&session.id, since) {
            // The timer does not need the row; after a crash the guest reports its connections again.
            tracing::debug!(%error, session = %session.id, "writing that the session is abandoned");
        }
        crash::point("expire.left-stored");
        self.arm(session);
    }

    /// The session has a connection.
    pub(super) fn occupy(&self, session: &Rc<Session>) {
        if session.lifecycle.occupy() {
            // The session goes on if this cannot be written: after a crash the guest reports its connections again.
            if let Err(error) = self.0.store.set_state(&session.id, State::Running) {
                tracing::debug!(%error, session = %session.id, "writing that the session runs");
            }
            crash::point("expire.returned-stored");
        }
        self.arm(session);
    }

    /// Starts the timer for whatever becomes due next, in place of the one that runs.
    pub(super) fn arm(&self, session: &Rc<Session>) {
        // If the clock was set back, the grace period must not last longer by as much.
        session.lifecycle.abandoned_by(now());
        let Some((at, _)) = session.deadlines().next(now()) else { return session.set_expiry(None) };
        let (sessions, weak) = (self.clone(), Rc::downgrade(session));
        let timer = task::spawn_local(async move {
            let mut moment = now();
            // A clock that was set back is a reason to look again, too.
            while moment < at {
                let wait = Duration::from_secs(u64::try_from(at - moment).unwrap_or(0));
                time::sleep(wait.min(LONGEST_SLEEP)).await;
                if now() < moment {
                    break;
                }
                moment = now();
            }
            if let Some(session) = weak.upgrade() {
                // The timer is this very task: taken out first, or replacing it would abort it.
                session.disarm();
                if moment < at { sessions.arm(&session) } else { sessions.expire(&session, at) }
            }
        });
        session.set_expiry(Some(timer.abort_handle()));
    }

    /// Does what was due at `at`, if it still is.
    fn expire(&self, session: &Rc<Session>, at: i64) {
        match session.deadlines().next(at - 1) {
            Some((due_at, Due::Notice(minutes))) if due_at <= at => {
                let plural = if minutes == 1 { "" } else { "s" };
                session.guest.notify(&format!("this container reaches its lifetime in {minutes} minute{plural}"));
                self.arm(session);
            }
            Some((due_at, Due::Grace)) if due_at <= at => {
                if let Some(patience) = guest_patience(session, due_at) {
                    return self.await_guest(session, patience);
                }
                if session.is_deserted() {
                    return self.destroy(session, Cause::GracePeriod, GRACE_IS_OVER);
                }
                // A client is about to enter. If it fails, the grace period begins again.
                session.lifecycle.occupy();
                self.arm(session);
            }
            Some((due_at, Due::Lifetime)) if due_at <= at => {
                self.terminate(session, Cause::Lifetime, session.rules().lifetime_reason());
            }
            _ => self.arm(session),
        }
    }

    /// Waits for the guest, then looks again at what is due.
    fn await_guest(&self, session: &Rc<Session>, patience: Duration) {
        let wait = {
            let (sessions, session) = (self.clone(), Rc::clone(session));
            async move {
                session.await_guest(patience).await;
                if session.is_running() {
                    session.disarm();
                    sessions.arm(&session);
                }
            }
        };
        session.set_expiry(Some(task::spawn_local(wait).abort_handle()));
    }

    /// Destroys a session after its connections: their users get a notice, then they are hung up and may deliver their
    /// last bytes.
    pub(super) fn terminate(&self, session: &Rc<Session>, cause: Cause, reason: String) {
        if session.guest.connections() == 0 {
            return self.destroy(session, cause, reason);
        }
        if !session.lifecycle.close(&reason) {
            return;
        }
        self.mark_destroying(session, cause, &reason);
        session.guest.notify(&format!("this container is being removed: {reason}"));
        if let Some(link) = session.guest.link() {
            // A guest that does not take it loses its container a moment later all the same.
            let _ = link.close(None);
        }
        crash::point("expire.hung-up");
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            // Connections that take longer are cut off.
            let _ = time::timeout(LAST_BYTES, session.guest.all_closed()).await;
            sessions.cut_off(&session, &reason);
            session.lifecycle.closed();
            sessions.finish_destroying(&session);
        });
    }
}

/// Why a running session has to end for what was due at `at`, if it has to: what its timer would find.
pub(super) fn reason(session: &Session, due: Due, at: i64) -> Option<String> {
    match due {
        Due::Grace if session.is_deserted() && guest_patience(session, at).is_none() => Some(GRACE_IS_OVER.to_owned()),
        Due::Lifetime => Some(session.rules().lifetime_reason()),
        Due::Grace | Due::Notice(_) => None,
    }
}

/// How long to wait for an absent guest before a grace period that ended at `due` is applied: the broker has just started,
/// and the guest has yet to name its connections. `None` if it is present, or is not waited for any more.
fn guest_patience(session: &Session, due: i64) -> Option<Duration> {
    let left = u64::try_from(due.saturating_add(ABSENT_FOR_GOOD) - now()).ok().filter(|left| *left > 0)?;
    // Deadlines are times of day, and the clock may be set meanwhile.
    (!session.guest.is_up()).then(|| Duration::from_secs(left).min(LONGEST_SLEEP))
}
