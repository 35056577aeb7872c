//! When a session ends by itself: pure arithmetic on its rules and its present state.

use crate::{
    domain::{Mode, Span},
    policy::Plan,
};

/// How long before the end of a lifetime connected users get a notice, in minutes.
const NOTICES: [u64; 3] = [10, 5, 1];

/// When a session ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What the last disconnect means.
    pub mode: Mode,
    /// How long an abandoned session is kept in [`Mode::GracePeriod`].
    pub grace_period: Span,
    /// How long the session exists at most; `None` is without a limit.
    pub lifetime: Option<Span>,
    /// After how long without any traffic all its connections are closed; 0 is never.
    pub idle_timeout: Span,
}

impl Rules {
    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let Plan { mode, grace_period, idle_timeout, .. } = *plan;
        Self { mode, grace_period, lifetime: plan.lifetime(), idle_timeout }
    }

    /// The reason for a session that has reached its lifetime.
    pub(super) fn lifetime_reason(&self) -> String {
        let what = if self.mode == Mode::Ttl { "time to live" } else { "lifetime" };
        format!("its {what} of {} is over", self.lifetime.unwrap_or_default())
    }
}

/// What becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The session had no connection for the whole grace period.
    Grace,
    /// The session has reached its lifetime.
    Lifetime,
    /// So many minutes of the lifetime are left.
    Notice(u64),
}

/// What decides when a session ends. Moments are Unix seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    pub(super) rules: Rules,
    pub(super) created: i64,
    /// Since when it has had no connection.
    pub(super) abandoned: Option<i64>,
    /// Whether it has connections: only then notices are due.
    pub(super) is_connected: bool,
}

impl Deadlines {
    /// When the session ends if nothing changes.
    pub(super) fn end(self) -> Option<i64> {
        self.ends().map(|(at, _)| at).min()
    }

    /// When `due` is or was due, if that is at or before `now`.
    pub(super) fn past(self, due: Due, now: i64) -> Option<i64> {
        self.ends().find(|(at, other)| *other == due && *at <= now).map(|(at, _)| at)
    }

    /// What is due first after the moment `after`, and when.
    pub(super) fn next(self, after: i64) -> Option<(i64, Due)> {
        let notices = NOTICES.into_iter().filter_map(|minutes| {
            let at = self.lifetime_end()?.saturating_sub_unsigned(minutes * 60);
            // A notice whose moment has passed, or coincides with the creation, is left out.
            (at > after && at > self.created && self.is_connected).then_some((at, Due::Notice(minutes)))
        });
        self.ends().chain(notices).min_by_key(|(at, _)| *at)
    }

    /// What ends the session if nothing changes, each with its moment.
    fn ends(self) -> impl Iterator<Item = (i64, Due)> {
        let grace = self
            .abandoned
            .filter(|_| matches!(self.rules.mode, Mode::GracePeriod | Mode::DestroyOnDisconnect))
            .map(|since| (later(since, self.rules.grace_period), Due::Grace));
        let lifetime = self.lifetime_end().map(|at| (at, Due::Lifetime));
        grace.into_iter().chain(lifetime)
    }

    fn lifetime_end(self) -> Option<i64> {
        self.rules.lifetime.map(|lifetime| later(self.created, lifetime))
    }
}

fn later(moment: i64, span: Span) -> i64 {
    moment.saturating_add_unsigned(span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: i64 = 1_000_000;

    fn deadlines(mode: Mode, lifetime: Option<u64>) -> Deadlines {
        let lifetime = lifetime.map(Span::from_secs);
        let rules = Rules { mode, grace_period: Span::from_secs(60), lifetime, idle_timeout: Span::from_secs(0) };
        Deadlines { rules, created: CREATED, abandoned: None, is_connected: true }
    }

    #[test]
    fn an_abandoned_session_ends_after_the_grace_period_in_modes_that_have_one() {
        for (mode, end) in [
            (Mode::GracePeriod, Some(CREATED + 65)),
            (Mode::DestroyOnDisconnect, Some(CREATED + 65)),
            (Mode::Named, None),
        ] {
            let occupied = deadlines(mode, None);
            assert_eq!(occupied.end(), None);
            assert_eq!(Deadlines { abandoned: Some(CREATED + 5), ..occupied }.end(), end, "{mode:?}");
        }
    }

    #[test]
    fn notices_come_before_the_end_of_a_lifetime_and_only_to_connected_users() {
        let session = deadlines(Mode::GracePeriod, Some(400));
        let mut after = CREATED;
        let mut found = Vec::new();
        while let Some((at, due)) = session.next(after).filter(|(at, _)| *at > after) {
            found.push((at - CREATED, due));
            after = at;
        }
        assert_eq!(found, [(100, Due::Notice(5)), (340, Due::Notice(1)), (400, Due::Lifetime)]);
        let left = Deadlines { is_connected: false, ..session };
        assert_eq!(left.next(CREATED), Some((CREATED + 400, Due::Lifetime)));
        assert_eq!(left.past(Due::Lifetime, CREATED + 399), None);
        assert_eq!(left.past(Due::Lifetime, CREATED + 400), Some(CREATED + 400));
    }
}
