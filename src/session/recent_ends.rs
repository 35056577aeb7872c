//! Why sessions ended, kept for a moment: a client asks when its connection breaks.

use super::live_session::Session;
use crate::domain::{SessionId, UserName};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Most ends that are kept, and for how long. Clients ask at once.
const MAX_ENDS: usize = 1024;
const KEPT: Duration = Duration::from_secs(60);

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
    pub(super) fn add(&mut self, session: &Session, text: String) {
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

    /// Why a session ended, if its user is `allowed`.
    pub(super) fn reason(&self, session: &SessionId, allowed: impl Fn(&UserName) -> bool) -> Option<String> {
        let end = self.0.iter().find(|end| end.session == *session && end.at.elapsed() < KEPT)?;
        allowed(&end.user).then(|| end.text.clone())
    }
}
