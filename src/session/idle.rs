//! Ending connections through which nothing goes.

use super::live_session::Session;
use crate::domain::Span;
use std::time::Duration;

/// The guest says that nothing was sent or received for `seconds`: if that is long enough, everybody is told and hung
/// up. What becomes of the container then is the mode's affair, as when they had left by themselves.
///
/// The guest need not be believed for that: it can end the connections of its session at any time.
pub(super) fn hear(session: &Session, seconds: u64) {
    let timeout = session.rules().idle_timeout;
    // Whom the guest has not heard of yet when it says so is not idle.
    let somebody_came = session.guest.opened_within(Duration::from(timeout));
    let is_due = !timeout.is_zero() && seconds.saturating_add(1) >= timeout.as_secs() && !somebody_came;
    let Some(link) = session.guest.link().filter(|_| is_due && session.is_running() && session.guest.connections() > 0)
    else {
        return;
    };
    match link.end(&text(timeout)) {
        Ok(()) => session.guest.hung_up_idle(),
        // The guest says it again.
        Err(error) => tracing::debug!(%error, session = %session.id, "ending idle connections"),
    }
}

/// What whoever is hung up reads.
fn text(timeout: Span) -> String {
    format!("nothing was sent or received for {timeout}; the connection is closed")
}
