//! What a guest tells, and what follows from it.

use super::{Happening, Sessions, entry::Session, now};
use crate::{
    domain::Mode,
    engine::Engine,
    link::{Event, Link},
};
use std::{io, rc::Rc, time::Duration};
use tokio::{task, time};

/// How long a guest whose container runs may be away before that is worth a word in the log.
const ABSENT: Duration = Duration::from_secs(5);

impl<E: Engine + 'static> Sessions<E> {
    /// Listens for the session's guest and acts on what it tells.
    pub(super) fn listen(&self, session: &Session) -> io::Result<Rc<Link>> {
        // Weak: the link's task must not keep alive what holds the link.
        let (inner, id) = (Rc::downgrade(&self.0), session.id.clone());
        let link = Link::listen(&self.0.sockets, &session.id, move |event| {
            let Some(sessions) = inner.upgrade().map(Sessions) else { return };
            if let Some(session) = sessions.find_id(&id) {
                sessions.hear(&session, event);
            }
        })?;
        let link = Rc::new(link);
        session.link.replace(Some(Rc::clone(&link)));
        Ok(link)
    }

    fn hear(&self, session: &Rc<Session>, event: Event) {
        match event {
            Event::Up { channels, .. } => {
                *session.channels.borrow_mut() = channels.into_iter().collect();
                self.check_deserted(session);
            }
            Event::Closed { channel, outcome } => {
                // One that nobody knows is the guest's own affair.
                if session.channels.borrow_mut().remove(&channel) {
                    self.tell(session, &Happening::Disconnected { channel, outcome });
                    self.check_deserted(session);
                }
            }
            Event::Down => self.look_after(session),
        }
    }

    /// The guest's connection is gone: the container has most likely died.
    pub(super) fn look_after(&self, session: &Rc<Session>) {
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            let mut pause = Duration::from_millis(100);
            while session.is_running() && session.link().is_some_and(|link| !link.is_up()) {
                match sessions.destroy_if_dead(&session).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    // Unknown is not absent.
                    Err(error) => tracing::debug!(%error, session = %session.id, "looking after a silent guest"),
                }
                time::sleep(pause).await;
                pause = (pause * 2).min(ABSENT);
            }
        });
    }

    /// Applies the mode if nobody is connected or about to be.
    pub(super) fn check_deserted(&self, session: &Rc<Session>) {
        let up = session.link().is_some_and(|link| link.is_up());
        if !session.is_running() || !session.is_deserted() || session.abandoned.get() || !up {
            return;
        }
        if session.rules.get().mode == Mode::DestroyOnDisconnect {
            return self.destroy(session, "the last connection ended");
        }
        session.abandoned.set(true);
        let since = now();
        if let Err(error) = self.0.store.set_grace(&session.id, since) {
            // The timer below does not need the row; after a crash the guest tells again that nobody is there.
            tracing::debug!(%error, session = %session.id, "writing that the session is abandoned");
        }
        self.arm(session, since);
    }

    /// Starts the timer that ends an abandoned session, if its mode has one.
    pub(super) fn arm(&self, session: &Rc<Session>, abandoned_since: i64) {
        let rules = session.rules.get();
        let (end, reason) = match rules.mode {
            Mode::GracePeriod | Mode::DestroyOnDisconnect => {
                (abandoned_since.saturating_add_unsigned(rules.grace_period.as_secs()), "the grace period is over")
            }
            Mode::Ttl => (session.created.saturating_add_unsigned(rules.ttl.as_secs()), "its time to live is over"),
            Mode::Named => return,
        };
        let wait = Duration::from_secs(u64::try_from(end.saturating_sub(now())).unwrap_or(0));
        let (sessions, weak) = (self.clone(), Rc::downgrade(session));
        let timer = task::spawn_local(async move {
            time::sleep(wait).await;
            if let Some(session) = weak.upgrade()
                && session.is_deserted()
            {
                // The timer is this very task: taken out first, or destroying would abort it.
                session.disarm();
                sessions.destroy(&session, reason);
            }
        });
        session.set_expiry(Some(timer.abort_handle()));
    }
}
