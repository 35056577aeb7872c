//! Why sessions ended, kept for a moment: a client asks when its connection breaks.

use super::{Sessions, live_session::Session};
use crate::{
    domain::{SessionId, UserName},
    engine::Engine,
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, timeout};

/// Most ends that are kept, and for how long. Clients ask at once.
const MAX_ENDS: usize = 1024;
const KEPT: Duration = Duration::from_secs(60);

/// How long a client waits for an inspection of the container, and how long if its guest is connected: then it was the
/// connection alone that ended, most likely. Both together are less than [`crate::protocol::varlink::ENDED_TIMEOUT`].
const PATIENCE: Duration = Duration::from_millis(1500);
const PATIENCE_WITH_GUEST: Duration = Duration::from_millis(300);

/// The last ends, oldest first.
#[derive(Default)]
pub(super) struct RecentEnds(VecDeque<End>);

struct End {
    session: SessionId,
    user: UserName,
    text: String,
    at: Instant,
}

impl RecentEnds {
    /// Remembers why a session ended, unless that is known already.
    fn add(&mut self, session: &Session, text: String) {
        self.0.retain(|end| end.at.elapsed() < KEPT);
        if self.0.iter().any(|end| end.session == session.id) {
            return;
        }
        if self.0.len() >= MAX_ENDS {
            self.0.pop_front();
        }
        let (session, user) = (session.id.clone(), session.key.user.clone());
        self.0.push_back(End { session, user, text, at: Instant::now() });
    }

    fn find(&self, session: &SessionId) -> Option<&End> {
        self.0.iter().find(|end| end.session == *session && end.at.elapsed() < KEPT)
    }
}

impl<E: Engine + 'static> Sessions<E> {
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
        self.0.recent_ends.borrow().find(id).filter(|end| allowed(&end.user)).map(|end| end.text.clone())
    }
}
