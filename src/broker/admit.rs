//! Letting peers in: counted before anything is read, identified before anything is answered.

use super::{authorize::Caller, budget::Budget, capped::Capped, connection, events, methods::Broker};
use crate::{accounts::Accounts, engine::Engine, measure::catalog::DENIALS};
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::UnixStream,
    task::spawn_local,
    time::{sleep, sleep_until, timeout},
};
use zlink::{connection::Connection, tokio::unix::Stream};

/// Connections of one uid at once. A login needs one for as long as its container is being made; sshd's own
/// `MaxStartups` is 100 by default.
const MAX_PER_UID: u32 = 128;
/// Connections at once, of everybody; with a socket per session well below the unit's `LimitNOFILE`.
const MAX_CONNECTIONS: u32 = 4096;
/// Calls of one uid in one [`WINDOW`]; more wait. Each may write a line to the log.
const MAX_CALLS: u32 = 200;
const WINDOW: Duration = Duration::from_secs(1);
/// How long a peer's account may be looked up: a directory server may be slow.
const LOOKUP: Duration = Duration::from_secs(10);

/// Who is connected.
#[derive(Default, Clone)]
pub(super) struct Admission {
    accounts: Arc<Accounts>,
    open: Peers,
}

/// By uid.
type Peers = Rc<RefCell<HashMap<u32, Peer>>>;

/// What one uid has open and has asked.
#[derive(Debug)]
struct Peer {
    connections: u32,
    /// What it may still send.
    budget: Budget,
    /// Of those, the ones that only look.
    looking: u32,
    window: Instant,
    calls: u32,
}

impl Admission {
    /// Whether nobody is whom the broker would stay for.
    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().values().all(|peer| peer.connections == peer.looking)
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> u32 {
        self.open.borrow().values().map(|peer| peer.connections).sum()
    }

    /// Counts a peer; `None` if it, or everybody together, has too many connections. A flood costs an accept and a
    /// close.
    fn count(&self, stream: &UnixStream) -> Option<Counted> {
        Counted::new(&self.open, stream.peer_cred().ok()?.uid())
    }
}

/// Serves a peer in a task of its own, so that one slow cold start delays nobody else.
pub(super) fn welcome<E: Engine + 'static>(admission: &Admission, stream: UnixStream, broker: &Rc<Broker<E>>) {
    let Some(counted) = admission.count(&stream) else { return };
    let (broker, accounts) = (Rc::clone(broker), Arc::clone(&admission.accounts));
    spawn_local(async move {
        // The whole guard, not only the field that is used below: it counts until the task ends.
        let counted = counted;
        let Ok(stream) = Stream::try_from(stream) else { return };
        counted.share().wait().await;
        let mut connection = Connection::new(Capped::new(stream, counted.share()));
        let Ok(credentials) = connection.peer_credentials().await else { return };
        let identified = timeout(LOOKUP, Caller::identify(credentials, &accounts)).await;
        let caller = match identified {
            Ok(Ok(caller)) => caller,
            Ok(Err(error)) => return events::stranger(counted.uid, &events::chain(&error)),
            Err(_) => return events::stranger(counted.uid, "its account could not be looked up in time"),
        };
        if caller.is_stranger() {
            events::stranger(counted.uid, "it is not in group podspawn");
            broker.measures.count(&DENIALS, "stranger");
        }
        let _looking = caller.only_looks().then(|| counted.looks());
        connection::serve(broker, caller, &counted, connection).await;
    });
}

/// Answers a peer's first call with `reason` and nothing else.
pub(super) fn refuse(admission: &Admission, stream: UnixStream, reason: &'static str) {
    let Some(counted) = admission.count(&stream) else { return };
    spawn_local(async move {
        let counted = counted;
        if let Ok(stream) = Stream::try_from(stream) {
            connection::refuse(Connection::new(Capped::new(stream, counted.share())), reason).await;
        }
    });
}

/// One open connection, counted by uid until dropped.
pub(super) struct Counted {
    open: Peers,
    uid: u32,
}

impl Counted {
    fn new(open: &Peers, uid: u32) -> Option<Self> {
        let mut peers = open.borrow_mut();
        let everybody: u32 = peers.values().map(|peer| peer.connections).sum();
        let now = Instant::now();
        let new = || Peer { connections: 0, budget: Budget::new(now), looking: 0, window: now, calls: 0 };
        let peer = peers.entry(uid).or_insert_with(new);
        if everybody >= MAX_CONNECTIONS || peer.connections >= MAX_PER_UID {
            return None;
        }
        peer.connections += 1;
        peer.budget.charge_connection();
        Some(Self { open: Rc::clone(open), uid })
    }

    /// The uid's share of the broker's time.
    pub(super) fn share(&self) -> Share {
        Share { open: Rc::clone(&self.open), uid: self.uid }
    }

    /// Notes that this one only looks, until the guard is dropped.
    fn looks(&self) -> Looking {
        if let Some(peer) = self.open.borrow_mut().get_mut(&self.uid) {
            peer.looking += 1;
        }
        Looking { open: Rc::clone(&self.open), uid: self.uid }
    }

    /// Waits until the uid may ask again.
    pub(super) async fn wait(&self) {
        while let Some(until) = self.too_early() {
            sleep_until(until.into()).await;
        }
    }

    /// Counts a call, or tells when to try again.
    fn too_early(&self) -> Option<Instant> {
        let mut peers = self.open.borrow_mut();
        let peer = peers.get_mut(&self.uid)?;
        if peer.window.elapsed() >= WINDOW {
            (peer.window, peer.calls) = (Instant::now(), 0);
        }
        if peer.calls >= MAX_CALLS {
            return Some(peer.window + WINDOW);
        }
        peer.calls += 1;
        None
    }
}

/// See [`Counted::share`].
#[derive(Debug)]
pub(super) struct Share {
    open: Peers,
    uid: u32,
}

impl Share {
    /// Waits until the uid may be read from. Nothing is taken: dropping this loses nothing.
    pub(super) async fn wait(&self) {
        while let Some(wait) = self.with(|budget| budget.wait(Instant::now())).flatten() {
            sleep(wait).await;
        }
    }

    /// That of a uid which has sent nothing.
    #[cfg(test)]
    pub(super) fn of_a_test() -> Self {
        Self { open: Rc::default(), uid: 0 }
    }

    /// Counts what was read.
    pub(super) fn charge(&self, bytes: usize) {
        self.with(|budget| budget.charge(bytes));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Budget) -> T) -> Option<T> {
        self.open.borrow_mut().get_mut(&self.uid).map(|peer| work(&mut peer.budget))
    }
}

/// See [`Counted::looks`].
struct Looking {
    open: Peers,
    uid: u32,
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(peer) = self.open.borrow_mut().get_mut(&self.uid) {
            peer.looking = peer.looking.saturating_sub(1);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut peers = self.open.borrow_mut();
        if let Some(peer) = peers.get_mut(&self.uid) {
            peer.connections = peer.connections.saturating_sub(1);
        }
        // A uid that is still in its window stays, or closing and opening would begin a new one; likewise its budget.
        let now = Instant::now();
        peers.retain(|_, peer| {
            peer.connections > 0 || now.duration_since(peer.window) < WINDOW || !peer.budget.is_full(now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_has_a_bounded_number_of_connections() {
        let open = Rc::default();
        let held: Vec<_> = (0..MAX_PER_UID).map(|_| Counted::new(&open, 7).unwrap()).collect();
        assert!(Counted::new(&open, 7).is_none());
        assert!(Counted::new(&open, 8).is_some());
        drop(held);
        assert!(open.borrow().values().all(|peer| peer.connections == 0));
    }

    #[test]
    fn a_uid_that_asks_too_much_waits_whatever_its_connections() {
        let open = Rc::default();
        for _ in 0..MAX_CALLS {
            assert!(Counted::new(&open, 7).unwrap().too_early().is_none());
        }
        assert!(Counted::new(&open, 7).unwrap().too_early().is_some());
        assert!(Counted::new(&open, 8).unwrap().too_early().is_none());
    }

    #[test]
    fn a_uid_that_has_sent_too_much_does_not_begin_anew_by_connecting_again() {
        let open = Rc::default();
        let counted = Counted::new(&open, 7).unwrap();
        counted.share().charge(usize::MAX);
        drop(counted);
        let waits = |uid| Counted::new(&open, uid).unwrap().share().with(|budget| budget.wait(Instant::now())).unwrap();
        assert!(waits(7).is_some() && waits(8).is_none());
    }

    #[test]
    fn whoever_only_looks_is_nobody_to_stay_for() {
        let admission = Admission::default();
        let scraper = Counted::new(&admission.open, 7).unwrap();
        assert!(!admission.is_empty());
        let looking = scraper.looks();
        assert!(admission.is_empty() && admission.connections() == 1);
        let login = Counted::new(&admission.open, 8).unwrap();
        assert!(!admission.is_empty());
        drop((login, looking));
        assert!(!admission.is_empty(), "until it is known");
    }
}
