//! How much of the logs one user may fill. Beyond that a user's events are counted instead of written.
//!
//! Without a bound a tenant fills the disk by logging in over and over, or by projects that do not exist; and a full disk
//! locks every user out. Containers are never left out: a user who is over the allowance waits for one instead.

use crate::domain::UserName;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

/// What a user may have written at once: some 4,000 connections with short commands, some 200 with the longest.
const BURST_BYTES: u64 = 4 << 20;
/// What is added to that each second: 350 MB a day at most.
const BYTES_PER_SECOND: u64 = 4 << 10;
/// What a connection has written of it beside its command, in the audit log and in the log: its beginning, its end.
pub(super) const CONNECTION: u64 = 1000;
/// The same for a refusal, beside its reason.
pub(super) const REFUSAL: u64 = 500;
/// The same for a container.
pub(super) const CONTAINER: u64 = 1000;
/// Users of whom something is remembered, before those who may write as much as they like are forgotten.
const MANY: usize = 1024;

/// Events that were counted instead of written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Withheld {
    /// How many, by their names.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// When the first of them happened.
    pub(super) since: jiff::Timestamp,
}

impl Withheld {
    /// Counts one more, in `what` or anew.
    pub(super) fn count(what: &mut Option<Self>, event: &'static str) {
        let since = || jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
        let withheld = what.get_or_insert_with(|| Self { counts: BTreeMap::new(), since: since() });
        *withheld.counts.entry(event).or_default() += 1;
    }
}

/// What each user has left.
#[derive(Default)]
pub(super) struct Allowance(RefCell<BTreeMap<UserName, Account>>);

struct Account {
    left: u64,
    at: Instant,
    withheld: Option<Withheld>,
    /// Whether a task writes the count from time to time.
    is_reported: bool,
}

impl Account {
    const fn new(now: Instant) -> Self {
        Self { left: BURST_BYTES, at: now, withheld: None, is_reported: false }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        let more = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(BYTES_PER_SECOND) / 1000;
        // Less than a byte has not passed yet.
        if more > 0 {
            self.left = self.left.saturating_add(more).min(BURST_BYTES);
            self.at = now;
        }
    }

    /// Takes so many bytes; false if there are not so many.
    fn take(&mut self, bytes: u64) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// How long until so many bytes are left, if there are fewer.
    fn shortage(&self, bytes: u64) -> Option<Duration> {
        let missing = bytes.checked_sub(self.left).filter(|missing| *missing > 0)?;
        Some(Duration::from_millis(missing * 1000 / BYTES_PER_SECOND + 1))
    }

    fn is_forgettable(&self) -> bool {
        self.left == BURST_BYTES && !self.is_reported
    }
}

impl Allowance {
    fn with<T>(&self, user: &UserName, work: impl FnOnce(&mut Account) -> T) -> T {
        let (mut accounts, now) = (self.0.borrow_mut(), Instant::now());
        if accounts.len() >= MANY && !accounts.contains_key(user) {
            accounts.retain(|_, account| {
                account.refill(now);
                !account.is_forgettable()
            });
        }
        let account = accounts.entry(user.clone()).or_insert_with(|| Account::new(now));
        account.refill(now);
        work(account)
    }

    /// Takes so many bytes; false if there are not so many.
    pub(super) fn take(&self, user: &UserName, bytes: u64) -> bool {
        self.with(user, |account| account.take(bytes))
    }

    /// Takes as many as there are of so many bytes.
    pub(super) fn charge(&self, user: &UserName, bytes: u64) {
        self.with(user, |account| account.left = account.left.saturating_sub(bytes));
    }

    /// How long `user` has to wait until so many bytes are left, if there are fewer.
    pub(super) fn shortage(&self, user: &UserName, bytes: u64) -> Option<Duration> {
        self.with(user, |account| account.shortage(bytes))
    }

    /// Counts an event of `user`; true if the caller has to start the task that writes the count.
    pub(super) fn count(&self, user: &UserName, event: &'static str) -> bool {
        self.with(user, |account| {
            Withheld::count(&mut account.withheld, event);
            !std::mem::replace(&mut account.is_reported, true)
        })
    }

    /// What was counted since the last time; with none of it the count ends.
    pub(super) fn collect(&self, user: &UserName) -> Option<Withheld> {
        self.with(user, |account| {
            let withheld = account.withheld.take();
            account.is_reported = withheld.is_some();
            withheld
        })
    }

    /// The users of whom events were counted.
    pub(super) fn counted(&self) -> Vec<UserName> {
        self.0.borrow().iter().filter(|(_, account)| account.withheld.is_some()).map(|(user, _)| user.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_taken_comes_back_with_time_and_never_more() {
        let mut now = Instant::now();
        let mut account = Account::new(now);
        assert!(account.take(BURST_BYTES) && !account.take(1));
        assert_eq!(account.shortage(BYTES_PER_SECOND), Some(Duration::from_millis(1001)));
        now += Duration::from_secs(2);
        account.refill(now);
        assert_eq!(account.shortage(2 * BYTES_PER_SECOND), None);
        assert!(account.take(2 * BYTES_PER_SECOND) && !account.take(1));
        account.refill(now + Duration::from_hours(24));
        assert!(account.take(BURST_BYTES) && !account.take(1));
    }

    #[test]
    fn steps_of_less_than_a_byte_add_up() {
        let mut now = Instant::now();
        let mut account = Account::new(now);
        assert!(account.take(BURST_BYTES));
        for _ in 0..1000 {
            now += Duration::from_micros(100);
            account.refill(now);
        }
        // A tenth of a second.
        assert!(account.take(BYTES_PER_SECOND / 11) && !account.take(BYTES_PER_SECOND / 10));
    }

    #[test]
    fn one_users_flood_takes_nothing_from_another() {
        let allowance = Allowance::default();
        allowance.charge(&name("alice"), u64::MAX);
        assert!(allowance.shortage(&name("alice"), CONTAINER).is_some());
        assert!(allowance.shortage(&name("bob"), BURST_BYTES).is_none());
    }

    #[test]
    fn what_is_not_written_is_counted_by_its_name_and_collected_once() {
        let (allowance, alice) = (Allowance::default(), name("alice"));
        assert!(allowance.count(&alice, "connect"), "the first");
        assert!(!allowance.count(&alice, "connect") && !allowance.count(&alice, "policy_deny"));
        assert_eq!(allowance.counted(), std::slice::from_ref(&alice));
        let withheld = allowance.collect(&alice).unwrap();
        assert_eq!(withheld.counts, [("connect", 2), ("policy_deny", 1)].into());
        assert!(!allowance.count(&alice, "connect"), "still reported");
        assert!(allowance.collect(&alice).is_some() && allowance.collect(&alice).is_none());
        assert!(allowance.count(&alice, "connect"), "the first again");
    }

    #[test]
    fn users_who_may_write_as_much_as_they_like_are_forgotten() {
        let allowance = Allowance::default();
        allowance.charge(&name("heavy"), BURST_BYTES);
        for number in 0..3 * MANY {
            allowance.charge(&name(&format!("u{number}")), 0);
        }
        let accounts = allowance.0.borrow();
        assert!(accounts.len() <= MANY && accounts.contains_key(&name("heavy")));
    }
}
