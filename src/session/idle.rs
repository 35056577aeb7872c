//! Closing idle connections.

use super::live_session::Session;
use crate::domain::Span;
use std::time::Duration;

/// The guest reports that nothing was sent or received for `seconds`. If that is long enough, all connections get a
/// notice and are hung up. Then the mode decides about the container, as after any disconnect.
///
/// A false report does no harm: the guest can end the connections of its session at any time.
pub(super) fn hear(session: &Session, seconds: u64) {
    let timeout = session.rules().idle_timeout;
    // The guest may not have known of a new connection when it sent the report.
    let is_new = session.guest.opened_within(Duration::from(timeout));
    let is_due = !timeout.is_zero() && seconds.saturating_add(1) >= timeout.as_secs() && !is_new;
    let Some(link) = session.guest.link().filter(|_| is_due && session.is_running() && session.guest.connections() > 0)
    else {
        return;
    };
    match link.end(&text(timeout)) {
        Ok(()) => session.guest.hung_up_idle(),
        // The guest repeats its report.
        Err(error) => tracing::debug!(%error, session = %session.id, "ending idle connections"),
    }
}

/// The notice to the users.
fn text(timeout: Span) -> String {
    format!("nothing was sent or received for {timeout}; the connection is closed")
}
