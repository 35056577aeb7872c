//! Letting peers in: counted before anything is read, identified before anything is answered.

use super::{authorize::Caller, capped::Capped, connection, events, methods::Broker};
use crate::{accounts::Accounts, engine::Engine};
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Duration};
use tokio::{net::UnixStream, task::spawn_local, time::timeout};
use zlink::{connection::Connection, tokio::unix::Stream};

/// Connections of one uid at once. A login needs one for as long as its container is being made; sshd's own
/// `MaxStartups` is 100 by default.
const MAX_PER_UID: u32 = 256;
/// Connections at once, of everybody; with a socket per session well below the unit's `LimitNOFILE`.
const MAX_CONNECTIONS: u32 = 4096;
/// How long a peer's account may be looked up: a directory server may be slow.
const LOOKUP: Duration = Duration::from_secs(10);

/// Who is connected.
#[derive(Default)]
pub(super) struct Admission {
    accounts: Arc<Accounts>,
    open: Rc<RefCell<HashMap<u32, u32>>>,
}

impl Admission {
    /// Whether nobody is.
    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
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
        let mut connection = Connection::new(Capped(stream));
        let Ok(credentials) = connection.peer_credentials().await else { return };
        let identified = timeout(LOOKUP, Caller::identify(credentials, &accounts)).await;
        let caller = match identified {
            Ok(Ok(caller)) => caller,
            Ok(Err(error)) => return events::stranger(counted.uid, &events::chain(&error)),
            Err(_) => return events::stranger(counted.uid, "its account could not be looked up in time"),
        };
        if caller.user.is_none() && !caller.admin && !caller.service {
            events::stranger(counted.uid, "it is not in group podspawn");
        }
        connection::serve(broker, caller, connection).await;
    });
}

/// Answers a peer's first call with `reason` and nothing else.
pub(super) fn refuse(admission: &Admission, stream: UnixStream, reason: &'static str) {
    let Some(counted) = admission.count(&stream) else { return };
    spawn_local(async move {
        let _counted = counted;
        if let Ok(stream) = Stream::try_from(stream) {
            connection::refuse(Connection::new(Capped(stream)), reason).await;
        }
    });
}

/// One open connection, counted by uid until dropped.
struct Counted {
    open: Rc<RefCell<HashMap<u32, u32>>>,
    uid: u32,
}

impl Counted {
    fn new(open: &Rc<RefCell<HashMap<u32, u32>>>, uid: u32) -> Option<Self> {
        let mut counts = open.borrow_mut();
        let everybody: u32 = counts.values().sum();
        let own = counts.get(&uid).copied().unwrap_or(0);
        if everybody >= MAX_CONNECTIONS || own >= MAX_PER_UID {
            return None;
        }
        counts.insert(uid, own + 1);
        Some(Self { open: Rc::clone(open), uid })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.open.borrow_mut();
        let left = counts.get(&self.uid).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            counts.remove(&self.uid);
        } else {
            counts.insert(self.uid, left);
        }
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
        assert!(open.borrow().is_empty());
    }
}
