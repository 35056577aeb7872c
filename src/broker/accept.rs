//! Accepted connections: counted before anything is read, and identified before anything is answered.

use super::{
    caller::Caller,
    capped::Capped,
    connection, events,
    peers::{Admitted, Peers},
    state::Broker,
};
use crate::{accounts::Accounts, domain::chain, engine::Engine, measure::catalog::DENIALS};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::{net::UnixStream, task::spawn_local, time::timeout};
use zlink::{connection::Connection, tokio::unix::Stream};

/// How long the lookup of a peer's account may take: a directory server may be slow.
const LOOKUP: Duration = Duration::from_secs(10);

/// The connections of the broker's socket.
#[derive(Default)]
pub(super) struct Connections {
    accounts: Arc<Accounts>,
    pub(super) peers: Peers,
}

impl Connections {
    /// Serves a peer in a task of its own, so that one slow cold start delays no other login.
    pub(super) fn accept<E: Engine + 'static>(&self, stream: UnixStream, broker: &Rc<Broker<E>>) {
        let Some(admitted) = self.admit(&stream) else { return };
        spawn_local(serve(stream, admitted, Arc::clone(&self.accounts), Rc::clone(broker)));
    }

    /// Answers a peer's first call with `reason` and closes the connection.
    pub(super) fn refuse(&self, stream: UnixStream, reason: &'static str) {
        let Some(admitted) = self.admit(&stream) else { return };
        spawn_local(async move {
            // The whole guard moves here: it counts the connection until the task ends.
            let admitted = admitted;
            if let Ok(stream) = Stream::try_from(stream) {
                connection::refuse(Connection::new(Capped::new(stream, admitted.share())), reason).await;
            }
        });
    }

    /// Counts a peer. A connection too many is closed at once, so that a flood costs little.
    fn admit(&self, stream: &UnixStream) -> Option<Admitted> {
        self.peers.admit(stream.peer_cred().ok()?.uid())
    }
}

async fn serve<E: Engine + 'static>(
    stream: UnixStream,
    admitted: Admitted,
    accounts: Arc<Accounts>,
    broker: Rc<Broker<E>>,
) {
    let Ok(stream) = Stream::try_from(stream) else { return };
    admitted.share().wait().await;
    let mut connection = Connection::new(Capped::new(stream, admitted.share()));
    let Ok(credentials) = connection.peer_credentials().await else { return };
    let caller = match timeout(LOOKUP, Caller::identify(credentials, &accounts)).await {
        Ok(Ok(caller)) => caller,
        Ok(Err(error)) => return events::stranger(admitted.uid(), &chain(&error)),
        Err(_) => return events::stranger(admitted.uid(), "its account could not be looked up in time"),
    };
    if caller.is_stranger() {
        events::stranger(admitted.uid(), "it is not in group podspawn");
        broker.measures.count(&DENIALS, "stranger");
    }
    if caller.only_measures() {
        admitted.only_measures();
    }
    connection::serve(&broker, &caller, &admitted, connection).await;
}
