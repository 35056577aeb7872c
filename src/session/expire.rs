//! When a session ends by itself: the grace period, the lifetime, and the notices before it.

use super::{Cause, Rules, Sessions, entry::Session, now};
use crate::{
    domain::{Mode, Span, State},
    engine::Engine,
    sys::crash,
};
use std::{rc::Rc, time::Duration};
use tokio::{task, time};

/// How long before the end of a lifetime those who are connected are told, in minutes.
const NOTICES: [u64; 3] = [10, 5, 1];

/// The longest sleep: deadlines are times of day, and the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long after the grace period a guest is waited for that has to say who is connected, in seconds. One that does
/// not come by then never will: nobody can enter, and nobody was there when it was last heard.
const ABSENT_FOR_GOOD: i64 = 60;

/// How often it is looked for.
const ABSENT_GUEST: Duration = Duration::from_millis(500);

/// How long those who are connected have for their last bytes when the session is ended under them.
const LAST_WORDS: Duration = Duration::from_secs(2);

const GRACE_IS_OVER: &str = "the grace period is over";

/// What becomes due, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nobody has been connected for the whole grace period.
    Grace,
    /// It is as old as it may get.
    Lifetime,
    /// So many minutes are left.
    Notice(u64),
}

impl<E: Engine + 'static> Sessions<E> {
    /// Applies the mode if nobody is connected or about to be.
    pub(super) fn check_deserted(&self, session: &Rc<Session>) {
        let up = session.link().is_some_and(|link| link.is_up());
        if !session.is_running() || !session.is_deserted() || session.abandoned.get().is_some() || !up {
            return;
        }
        if session.rules.get().mode == Mode::DestroyOnDisconnect {
            return self.destroy(session, Cause::Disconnect, "the last connection ended");
        }
        let since = now();
        session.abandoned.set(Some(since));
        if let Err(error) = self.0.store.set_grace(&session.id, since) {
            // The timer does not need the row; after a crash the guest tells again that nobody is there.
            tracing::debug!(%error, session = %session.id, "writing that the session is abandoned");
        }
        crash::point("expire.left-stored");
        self.arm(session);
    }

    /// Notes that somebody is connected.
    pub(super) fn occupy(&self, session: &Rc<Session>) {
        if session.abandoned.replace(None).is_some() {
            // The session goes on whether or not this can be written: after a crash the guest tells who is there.
            if let Err(error) = self.0.store.set_state(&session.id, State::Running) {
                tracing::debug!(%error, session = %session.id, "writing that the session runs");
            }
            crash::point("expire.returned-stored");
        }
        self.arm(session);
    }

    /// Starts the timer for whatever becomes due next, in place of the one that runs.
    pub(super) fn arm(&self, session: &Rc<Session>) {
        // A clock that was set back must not make anybody wait for as long as that.
        session.abandoned.set(session.abandoned.get().map(|since| since.min(now())));
        let Some((at, _)) = next_due(session, now()) else { return session.set_expiry(None) };
        let (sessions, weak) = (self.clone(), Rc::downgrade(session));
        let timer = task::spawn_local(async move {
            let mut moment = now();
            // A clock that was set back is as good a reason to look again as one that has come to its hour.
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
        match next_due(session, at - 1) {
            Some((due_at, Due::Notice(minutes))) if due_at <= at => {
                let plural = if minutes == 1 { "" } else { "s" };
                session.notify(&format!("this container reaches its lifetime in {minutes} minute{plural}"));
                self.arm(session);
            }
            Some((due_at, Due::Grace)) if due_at <= at => {
                if is_to_be_heard(session, due_at) {
                    // The broker has just started, and the guest has yet to tell who is connected.
                    return self.ask_again(session);
                }
                if session.is_deserted() {
                    return self.destroy(session, Cause::GracePeriod, GRACE_IS_OVER);
                }
                // Somebody is just entering. If they do not get in, the grace period begins again.
                session.abandoned.set(None);
                self.arm(session);
            }
            Some((due_at, Due::Lifetime)) if due_at <= at => {
                self.end(session, Cause::Lifetime, lifetime_is_over(session.rules.get()));
            }
            _ => self.arm(session),
        }
    }

    fn ask_again(&self, session: &Rc<Session>) {
        let (sessions, weak) = (self.clone(), Rc::downgrade(session));
        let timer = task::spawn_local(async move {
            time::sleep(ABSENT_GUEST).await;
            if let Some(session) = weak.upgrade().filter(|session| session.is_running()) {
                session.disarm();
                sessions.arm(&session);
            }
        });
        session.set_expiry(Some(timer.abort_handle()));
    }

    /// Ends a session under whoever is connected: they are told, hung up, and given a moment; then it is destroyed.
    pub(super) fn end(&self, session: &Rc<Session>, cause: Cause, reason: String) {
        if !session.is_running() || session.connections() == 0 {
            return self.destroy(session, cause, reason);
        }
        self.condemn(session, cause, &reason);
        session.notify(&format!("this container is being removed: {reason}"));
        session.closing.replace(Some(reason.clone()));
        if let Some(link) = session.link() {
            // A guest that does not take it loses its container a moment later all the same.
            let _ = link.close(None);
        }
        crash::point("expire.hung-up");
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            let deadline = time::Instant::now() + LAST_WORDS;
            while session.connections() > 0 && time::Instant::now() < deadline {
                time::sleep(Duration::from_millis(20)).await;
            }
            sessions.close(&session, &reason);
            sessions.finish_destroying(&session);
        });
    }
}

/// When `due` came for a session, if it has.
pub(super) fn past(session: &Session, due: Due) -> Option<i64> {
    ends(session).find(|(at, other)| *other == due && *at <= now()).map(|(at, _)| at)
}

/// Why a session that runs has to end for what was due at `at`, if it has to: what its timer would find.
pub(super) fn reason(session: &Session, due: Due, at: i64) -> Option<String> {
    match due {
        Due::Grace if session.is_deserted() && !is_to_be_heard(session, at) => Some(GRACE_IS_OVER.to_owned()),
        Due::Lifetime => Some(lifetime_is_over(session.rules.get())),
        Due::Grace | Due::Notice(_) => None,
    }
}

/// Whether the guest has yet to tell who is connected: the broker has just started. The grace period ended at `due`.
fn is_to_be_heard(session: &Session, due: i64) -> bool {
    let absent = !session.link().is_some_and(|link| link.is_up());
    absent && now() < due.saturating_add(ABSENT_FOR_GOOD)
}

fn lifetime_is_over(rules: Rules) -> String {
    let what = if rules.mode == Mode::Ttl { "time to live" } else { "lifetime" };
    format!("its {what} of {} is over", rules.lifetime.unwrap_or_default())
}

/// When the session ends if nothing changes, in Unix seconds.
pub(super) fn end(session: &Session) -> Option<i64> {
    ends(session).map(|(at, _)| at).min()
}

/// What ends the session if nothing changes, each with its moment.
fn ends(session: &Session) -> impl Iterator<Item = (i64, Due)> {
    let rules = session.rules.get();
    let abandoned = session.abandoned.get();
    let grace = abandoned
        .filter(|_| matches!(rules.mode, Mode::GracePeriod | Mode::DestroyOnDisconnect))
        .map(|since| (later(since, rules.grace_period), Due::Grace));
    let lifetime = rules.lifetime.map(|lifetime| (later(session.created, lifetime), Due::Lifetime));
    grace.into_iter().chain(lifetime)
}

/// What becomes due first after the moment `after`, and when, in Unix seconds.
fn next_due(session: &Session, after: i64) -> Option<(i64, Due)> {
    let lifetime_end = session.rules.get().lifetime.map(|lifetime| later(session.created, lifetime));
    let notices = NOTICES.into_iter().filter_map(|minutes| {
        let at = lifetime_end?.saturating_sub_unsigned(minutes * 60);
        // One that is past, or that would come at the beginning, is not made up for.
        (at > after && at > session.created && session.connections() > 0).then_some((at, Due::Notice(minutes)))
    });
    ends(session).chain(notices).min_by_key(|(at, _)| *at)
}

fn later(moment: i64, span: Span) -> i64 {
    moment.saturating_add_unsigned(span.as_secs())
}
