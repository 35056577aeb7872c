//! Open connections by uid, and what each uid may still send and call.

use super::budget::Budget;
use crate::sys::rate::Rate;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until};

/// Connections of one uid at once. A login needs one while its container is created; sshd's own `MaxStartups` is 100 by
/// default.
const MAX_PER_UID: u32 = 128;
/// Connections of all uids at once; with a socket per session well below the unit's `LimitNOFILE`.
const MAX_CONNECTIONS: u32 = 4096;
/// Calls of one uid in one [`WINDOW`]; more wait. Each may write a line to the log.
const MAX_CALLS: u32 = 200;
const WINDOW: Duration = Duration::from_secs(1);

/// All peers. Clones share them.
#[derive(Debug, Default, Clone)]
pub(super) struct Peers(Rc<RefCell<HashMap<u32, Peer>>>);

/// The connections and calls of one uid.
#[derive(Debug)]
struct Peer {
    connections: u32,
    /// Those that can only read measurements.
    measuring: u32,
    budget: Budget,
    calls: Rate,
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self { connections: 0, measuring: 0, budget: Budget::new(now), calls: Rate::new(MAX_CALLS, WINDOW, now) }
    }
}

impl Peers {
    /// Whether a connection is open that keeps the broker running.
    pub(super) fn keep_running(&self) -> bool {
        self.0.borrow().values().any(|peer| peer.connections > peer.measuring)
    }

    /// The number of open connections.
    pub(super) fn connections(&self) -> u32 {
        self.0.borrow().values().map(|peer| peer.connections).sum()
    }

    /// Counts a connection; `None` if its uid, or all uids together, have too many.
    pub(super) fn admit(&self, uid: u32) -> Option<Admitted> {
        let is_full = self.connections() >= MAX_CONNECTIONS;
        let mut peers = self.0.borrow_mut();
        let peer = peers.entry(uid).or_insert_with(|| Peer::new(Instant::now()));
        if is_full || peer.connections >= MAX_PER_UID {
            return None;
        }
        peer.connections += 1;
        peer.budget.charge_connection();
        Some(Admitted { peers: self.clone(), uid, is_measuring: Cell::new(false) })
    }

    fn with<T>(&self, uid: u32, work: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        self.0.borrow_mut().get_mut(&uid).map(work)
    }
}

/// One open connection, counted until dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    peers: Peers,
    uid: u32,
    is_measuring: Cell<bool>,
}

impl Admitted {
    /// The peer's uid.
    pub(super) const fn uid(&self) -> u32 {
        self.uid
    }

    /// The uid's budget of bytes.
    pub(super) fn share(&self) -> Share {
        Share { peers: self.peers.clone(), uid: self.uid }
    }

    /// Notes that this connection can only read measurements.
    pub(super) fn only_measures(&self) {
        if !self.is_measuring.replace(true) {
            self.peers.with(self.uid, |peer| peer.measuring += 1);
        }
    }

    /// Waits until the uid may call again, and counts the call.
    pub(super) async fn next_call(&self) {
        while let Some(until) = self.take_call() {
            sleep_until(until.into()).await;
        }
    }

    /// Counts a call, or returns when to try again.
    fn take_call(&self) -> Option<Instant> {
        self.peers.with(self.uid, |peer| {
            let until = peer.calls.full_until(Instant::now());
            if until.is_none() {
                peer.calls.take();
            }
            until
        })?
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.peers.with(self.uid, |peer| {
            peer.connections = peer.connections.saturating_sub(1);
            peer.measuring = peer.measuring.saturating_sub(self.is_measuring.get().into());
        });
        // A uid keeps its rate and its budget until both are fresh, or closing and connecting would renew them.
        let now = Instant::now();
        self.peers
            .0
            .borrow_mut()
            .retain(|_, peer| peer.connections > 0 || !peer.calls.is_fresh(now) || !peer.budget.is_full(now));
    }
}

/// The budget of bytes of one uid.
#[derive(Debug)]
pub(super) struct Share {
    peers: Peers,
    uid: u32,
}

impl Share {
    /// Waits until the uid may be read from. Takes nothing, so it is cancel-safe.
    pub(super) async fn wait(&self) {
        while let Some(wait) = self.peers.with(self.uid, |peer| peer.budget.wait(Instant::now())).flatten() {
            sleep(wait).await;
        }
    }

    /// Counts bytes that were read.
    pub(super) fn charge(&self, bytes: usize) {
        self.peers.with(self.uid, |peer| peer.budget.charge(bytes));
    }

    /// The share of a uid that has sent nothing.
    #[cfg(test)]
    pub(super) fn unused() -> Self {
        Self { peers: Peers::default(), uid: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_has_a_bounded_number_of_connections() {
        let peers = Peers::default();
        let held: Vec<_> = (0..MAX_PER_UID).map(|_| peers.admit(7).unwrap()).collect();
        assert!(peers.admit(7).is_none());
        assert!(peers.admit(8).is_some());
        drop(held);
        assert_eq!(peers.connections(), 0);
    }

    #[test]
    fn all_uids_together_have_a_bounded_number_of_connections() {
        let peers = Peers::default();
        let held: Vec<_> = (0..MAX_CONNECTIONS).map(|number| peers.admit(number / MAX_PER_UID).unwrap()).collect();
        assert!(peers.admit(100_000).is_none());
        drop(held);
        assert!(peers.admit(100_000).is_some());
    }

    #[test]
    fn a_uid_that_calls_too_often_waits_even_on_a_new_connection() {
        let peers = Peers::default();
        for _ in 0..MAX_CALLS {
            assert!(peers.admit(7).unwrap().take_call().is_none());
        }
        assert!(peers.admit(7).unwrap().take_call().is_some());
        assert!(peers.admit(8).unwrap().take_call().is_none());
    }

    #[test]
    fn a_uid_that_has_sent_too_much_gains_nothing_by_connecting_again() {
        let peers = Peers::default();
        let admitted = peers.admit(7).unwrap();
        admitted.share().charge(usize::MAX);
        drop(admitted);
        let waits = |uid| {
            let _admitted = peers.admit(uid).unwrap();
            peers.with(uid, |peer| peer.budget.wait(Instant::now())).unwrap()
        };
        assert!(waits(7).is_some() && waits(8).is_none());
    }

    #[test]
    fn a_connection_that_only_measures_does_not_keep_the_broker_running() {
        let peers = Peers::default();
        let scraper = peers.admit(7).unwrap();
        assert!(peers.keep_running(), "until its caller is known");
        scraper.only_measures();
        assert!(!peers.keep_running() && peers.connections() == 1);
        let login = peers.admit(8).unwrap();
        assert!(peers.keep_running());
        drop((login, scraper));
        let again = peers.admit(7).unwrap();
        assert!(peers.keep_running(), "a new connection is not known to only measure");
        drop(again);
    }
}
