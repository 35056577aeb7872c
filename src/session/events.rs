//! Events of a guest, and their consequences.

use super::{
    Sessions,
    guest_side::{Closed, Greeting},
    idle,
    live_session::Session,
    recording::MISSED,
};
use crate::{
    domain::ChannelId,
    engine::Engine,
    event::Event,
    link::{GuestEvent, Link},
};
use std::{collections::BTreeSet, io, rc::Rc, time::Duration};
use tokio::{task, time::sleep};

/// Shortest and longest pause between two questions to the engine while a guest is away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl<E: Engine + 'static> Sessions<E> {
    /// Listens for the session's guest and acts on its events.
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
                // The row may be wrong about connections that began or ended just before a crash.
                if session.guest.connections() > 0 {
                    self.occupy(session);
                }
                self.check_deserted(session);
            }
            GuestEvent::Closed { channel, outcome } => {
                // A channel that the broker did not open has no consequence.
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
            GuestEvent::Down => self.watch_absence(session),
        }
    }

    /// Takes the connections that the guest names as open, as far as the broker opened them.
    fn greet(&self, session: &Session, named: BTreeSet<ChannelId>) {
        let opened = self.opened(session);
        let Greeting { ended, invented } = session.guest.greeted(named, opened.as_ref());
        for channel in ended {
            self.disconnected(session, channel, None, Some(MISSED));
        }
        if let Some(channels) = invented {
            self.notify(session, &Event::GuestInvalid { channels });
        }
    }

    /// Records the version of the guest protocol: `podspawn list` shows which containers are from before an upgrade.
    fn note_protocol(&self, session: &Session, protocol: u32) {
        if session.guest.speaks(protocol)
            && let Err(error) = self.0.store.set_protocol(&session.id, protocol)
        {
            tracing::debug!(%error, session = %session.id, "writing the guest's protocol");
        }
    }

    /// Asks the engine about a container whose guest is away, until the guest is back or the session ends: most likely
    /// the container has died.
    pub(super) fn watch_absence(&self, session: &Rc<Session>) {
        // One task, however often the guest disconnects.
        if !session.guest.await_return() {
            return;
        }
        let (sessions, session) = (self.clone(), Rc::clone(session));
        task::spawn_local(async move {
            let mut pause = PAUSE.0;
            while session.is_running() && session.guest.link().is_some_and(|link| !link.is_up()) {
                match sessions.destroy_if_dead(&session).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    // Unknown is not absent.
                    Err(error) => {
                        tracing::debug!(%error, session = %session.id, "asking the engine about a container without a guest");
                    }
                }
                // A guest that disconnects again and again does not set how often the engine is asked.
                tokio::join!(session.await_guest(pause), sleep(PAUSE.0));
                pause = (pause * 2).min(PAUSE.1);
            }
            session.guest.no_longer_awaited();
        });
    }
}
