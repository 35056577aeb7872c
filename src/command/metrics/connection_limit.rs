//! The limit of connections to one socket, and which of them is closed when it is reached.
//!
//! A new connection closes the oldest one that has not sent a request. So idle connections do not keep a scrape out, which
//! takes a few milliseconds.

use std::{cell::Cell, collections::VecDeque, rc::Rc};
use tokio::task::AbortHandle;

/// Most connections to one socket.
pub(super) const MAX: usize = 64;

/// One open connection.
struct Connection {
    task: AbortHandle,
    requested: Rc<Cell<bool>>,
}

/// The connections to one socket, oldest first.
#[derive(Default)]
pub(super) struct ConnectionLimit(VecDeque<Connection>);

impl ConnectionLimit {
    /// Makes room for one more by closing the oldest connection without a request; false if all have sent one.
    #[must_use]
    pub(super) fn make_room(&mut self) -> bool {
        self.0.retain(|connection| !connection.task.is_finished());
        if self.0.len() < MAX {
            return true;
        }
        let Some(silent) = self.0.iter().position(|connection| !connection.requested.get()) else { return false };
        if let Some(connection) = self.0.remove(silent) {
            connection.task.abort();
        }
        true
    }

    /// Adds one; `requested` is set once it has sent a request.
    pub(super) fn add(&mut self, task: AbortHandle, requested: Rc<Cell<bool>>) {
        self.0.push_back(Connection { task, requested });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    #[tokio::test]
    async fn the_oldest_connection_without_a_request_is_closed_and_others_stay() {
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                let mut limit = ConnectionLimit::default();
                let mut connections = Vec::new();
                for number in 0..MAX {
                    assert!(limit.make_room());
                    let task = spawn_local(std::future::pending::<()>());
                    let requested = Rc::new(Cell::new(number == 0));
                    limit.add(task.abort_handle(), Rc::clone(&requested));
                    connections.push((task, requested));
                }
                assert!(limit.make_room());
                yield_now().await;
                let gone: Vec<usize> = (0..MAX).filter(|at| connections[*at].0.is_finished()).collect();
                assert_eq!(gone, [1]);
                limit.add(spawn_local(std::future::pending::<()>()).abort_handle(), Rc::new(Cell::new(true)));
                for (_, requested) in &connections {
                    requested.set(true);
                }
                assert!(!limit.make_room());
            })
            .await;
    }
}
