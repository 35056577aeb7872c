//! What a guest tells, and what follows from it.

use super::{
    Happening, Sessions,
    guest_side::{Closed, Greeting},
    idle,
    live_session::Session,
    recording::MISSED,
};
use crate::{
    domain::ChannelId,
    engine::Engine,
    link::{GuestEvent, Link},
};
use std::{collections::BTreeSet, io, rc::Rc, time::Duration};
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
            if let Some(session) = sessions.0.registry.find_id(&id) {
                sessions.hear(&session, event);
            }
        })?;
        link.set_idle_timeout(session.rules().idle_timeout.as_secs());
        let link = Rc::new(link);
        session.guest.listens(Rc::clone(&link));
        Ok(link)
    }

    fn hear(&self, session: &Rc<Session>, event: GuestEvent) {
        match event {
            GuestEvent::Up { protocol, channels } => {
                self.note_protocol(session, protocol);
                self.greet(session, channels.into_iter().collect());
                // A row may say that nobody is there when somebody came just before a crash, and the other way round.
                if session.guest.connections() > 0 {
                    self.occupy(session);
                }
                self.check_deserted(session);
            }
            GuestEvent::Closed { channel, outcome } => {
                // One that nobody knows is the guest's own affair.
                if let Some(closed) = session.guest.closed(channel, outcome) {
                    let reason = match closed {
                        Closed::Idle => Some("idle".to_owned()),
                        Closed::Otherwise => session.lifecycle.closing_reason(),
                    };
                    self.disconnected(session, channel, outcome, reason.as_deref());
                    self.check_deserted(session);
                }
            }
            GuestEvent::Idle { seconds } => idle::hear(session, seconds),
            GuestEvent::Down => self.look_after(session),
        }
    }

    /// Takes the channels that the guest says are open, as far as the broker opened them: a guest that belongs to the
    /// container's root invents others, which would count as connections, keep the session for ever, and fill the log
    /// with their ends. Those that it does not name are over.
    fn greet(&self, session: &Session, named: BTreeSet<ChannelId>) {
        let opened = self.opened(session);
        let Greeting { ended, invented } = session.guest.greeted(named, opened.as_ref());
        for channel in ended {
            self.disconnected(session, channel, None, Some(MISSED));
        }
        if let Some(channels) = invented {
            self.notify(session, &Happening::Invented { channels });
        }
    }

    /// Writes down what is spoken with the guest, for whoever wants to know which containers are from before an upgrade.
    /// The guest of a container is always the same: one that speaks less than it did before is another's.
    fn note_protocol(&self, session: &Session, protocol: u32) {
        if session.guest.speaks(protocol)
            && let Err(error) = self.0.store.set_protocol(&session.id, protocol)
        {
            tracing::debug!(%error, session = %session.id, "writing the guest's protocol");
        }
    }

    /// The guest's connection is gone: the container has most likely died.
    pub(super) fn look_after(&self, session: &Rc<Session>) {
        // One task, however often the guest goes and comes.
        if !session.guest.await_return() {
            return;
        }
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            let mut pause = Duration::from_millis(100);
            while session.is_running() && session.guest.link().is_some_and(|link| !link.is_up()) {
                match sessions.destroy_if_dead(&session).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    // Unknown is not absent.
                    Err(error) => tracing::debug!(%error, session = %session.id, "looking after a silent guest"),
                }
                time::sleep(pause).await;
                pause = (pause * 2).min(ABSENT);
            }
            session.guest.no_longer_awaited();
        });
    }
}
