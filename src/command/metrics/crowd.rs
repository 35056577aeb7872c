//! How many may be connected to one socket, and who has to go when there are more.
//!
//! Somebody who connects and says nothing makes room for the next as soon as room is scarce. So a crowd of those does not
//! keep out whoever asks: that takes a few milliseconds.

use std::{cell::Cell, collections::VecDeque, rc::Rc};
use tokio::task::AbortHandle;

/// Most connections to one socket.
pub(super) const MAX: usize = 64;

/// A connection, oldest first.
struct Member {
    task: AbortHandle,
    asked: Rc<Cell<bool>>,
}

/// The connections to one socket.
#[derive(Default)]
pub(super) struct Crowd(VecDeque<Member>);

impl Crowd {
    /// Makes room for one more, at the cost of the oldest that has not asked anything yet; false if all have.
    #[must_use]
    pub(super) fn make_room(&mut self) -> bool {
        self.0.retain(|member| !member.task.is_finished());
        if self.0.len() < MAX {
            return true;
        }
        let Some(silent) = self.0.iter().position(|member| !member.asked.get()) else { return false };
        if let Some(member) = self.0.remove(silent) {
            member.task.abort();
        }
        true
    }

    /// Adds one; `asked` is set once it has asked.
    pub(super) fn add(&mut self, task: AbortHandle, asked: Rc<Cell<bool>>) {
        self.0.push_back(Member { task, asked });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    #[tokio::test]
    async fn whoever_says_nothing_makes_room_and_whoever_asked_stays() {
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                let mut crowd = Crowd::default();
                let mut members = Vec::new();
                for number in 0..MAX {
                    assert!(crowd.make_room());
                    let task = spawn_local(std::future::pending::<()>());
                    let asked = Rc::new(Cell::new(number == 0));
                    crowd.add(task.abort_handle(), Rc::clone(&asked));
                    members.push((task, asked));
                }
                assert!(crowd.make_room());
                yield_now().await;
                let gone: Vec<usize> = (0..MAX).filter(|at| members[*at].0.is_finished()).collect();
                assert_eq!(gone, [1]);
                crowd.add(spawn_local(std::future::pending::<()>()).abort_handle(), Rc::new(Cell::new(true)));
                for (_, asked) in &members {
                    asked.set(true);
                }
                assert!(!crowd.make_room());
            })
            .await;
    }
}
