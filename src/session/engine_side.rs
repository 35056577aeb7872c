//! A session as the container engine has it: container, network, first process, and clues to why the container ends.

use super::exit_cause::{Clues, decisive_signal};
use crate::domain::{ContainerId, ContainerName, NetworkId};
use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// How long before its end a container was out of memory if that is why it ended.
const JUST_NOW: Duration = Duration::from_secs(2);

/// What the engine made for a session, and what it reported of that.
pub(super) struct EngineSide {
    known: RefCell<Known>,
    inspection: Cell<Inspection>,
    /// The container ended before its guest connected.
    exited: Notify,
}

struct Known {
    name: ContainerName,
    container: Option<ContainerId>,
    network: Option<NetworkId>,
    /// The container's first process on this host.
    init: Option<u32>,
    /// The decisive one of the signals that the engine sent to the container.
    signal: Option<i32>,
    /// When a process in the container last ran out of memory.
    out_of_memory: Option<Instant>,
}

/// Whether a task inspects the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inspection {
    Idle,
    Running,
    /// Something has happened since the task began.
    Outdated,
}

impl EngineSide {
    /// Neither container nor network exist yet; the container is to have this name.
    pub(super) fn new(name: ContainerName) -> Self {
        Self::restored(name, None, None, None)
    }

    /// As an earlier broker recorded it.
    pub(super) fn restored(
        name: ContainerName,
        container: Option<ContainerId>,
        network: Option<NetworkId>,
        init: Option<u32>,
    ) -> Self {
        let known = Known { name, container, network, init, signal: None, out_of_memory: None };
        Self { known: RefCell::new(known), inspection: Cell::new(Inspection::Idle), exited: Notify::new() }
    }

    pub(super) fn renamed(&self, name: ContainerName) {
        self.known.borrow_mut().name = name;
    }

    pub(super) fn network_created(&self, id: NetworkId) {
        self.known.borrow_mut().network = Some(id);
    }

    pub(super) fn container_created(&self, id: ContainerId) {
        self.known.borrow_mut().container = Some(id);
    }

    pub(super) fn started(&self, init: u32) {
        self.known.borrow_mut().init = Some(init);
    }

    /// The engine sent a signal to the container.
    pub(super) fn signalled(&self, signal: i32) {
        let mut known = self.known.borrow_mut();
        known.signal = decisive_signal(known.signal, signal);
    }

    /// A process in the container ran out of memory.
    pub(super) fn ran_out_of_memory(&self) {
        self.known.borrow_mut().out_of_memory = Some(Instant::now());
    }

    /// The container ended or was removed before the session ran.
    pub(super) fn exited(&self) {
        self.exited.notify_one();
    }

    /// Waits for [`Self::exited`].
    pub(super) async fn has_exited(&self) {
        self.exited.notified().await;
    }

    /// The container's name at the engine.
    pub(super) fn name(&self) -> ContainerName {
        self.known.borrow().name.clone()
    }

    pub(super) fn container(&self) -> Option<ContainerId> {
        self.known.borrow().container.clone()
    }

    pub(super) fn is_container(&self, id: &ContainerId) -> bool {
        self.known.borrow().container.as_ref() == Some(id)
    }

    pub(super) fn network(&self) -> Option<NetworkId> {
        self.known.borrow().network.clone()
    }

    /// The clues to why the container ended. Its events have been received since `watched_since`, if they are.
    pub(super) fn clues(&self, watched_since: Option<Instant>) -> Clues {
        let known = self.known.borrow();
        let memory = match watched_since {
            _ if known.out_of_memory.is_some_and(|at| at.elapsed() < JUST_NOW) => Some(true),
            Some(since) if since.elapsed() > JUST_NOW => Some(false),
            _ => None,
        };
        Clues { init: known.init, signal: known.signal, memory }
    }

    /// Asks for an inspection. True if the caller is to start the task; one that runs begins anew.
    pub(super) fn request_inspection(&self) -> bool {
        let is_idle = self.inspection.get() == Inspection::Idle;
        self.inspection.set(if is_idle { Inspection::Running } else { Inspection::Outdated });
        is_idle
    }

    /// The task inspects the container now.
    pub(super) fn begin_inspection(&self) {
        self.inspection.set(Inspection::Running);
    }

    /// Whether something has happened since [`Self::begin_inspection`].
    pub(super) fn is_inspection_outdated(&self) -> bool {
        self.inspection.get() == Inspection::Outdated
    }

    /// The task ends.
    pub(super) fn end_inspection(&self) {
        self.inspection.set(Inspection::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side() -> EngineSide {
        EngineSide::new("podspawn-alice".parse().unwrap())
    }

    #[test]
    fn of_many_requests_one_starts_a_task_and_the_others_make_it_begin_anew() {
        let side = side();
        assert!(side.request_inspection());
        side.begin_inspection();
        assert!(!side.is_inspection_outdated());
        assert!(!side.request_inspection() && !side.request_inspection());
        assert!(side.is_inspection_outdated());
        side.begin_inspection();
        assert!(!side.is_inspection_outdated());
        side.end_inspection();
        assert!(side.request_inspection());
    }

    #[test]
    fn memory_is_a_clue_only_if_events_were_received_long_enough() {
        let side = side();
        let long_ago = Instant::now().checked_sub(JUST_NOW * 2);
        assert_eq!(side.clues(None).memory, None);
        assert_eq!(side.clues(Some(Instant::now())).memory, None);
        assert_eq!(side.clues(long_ago).memory, Some(false));
        side.ran_out_of_memory();
        assert_eq!(side.clues(None).memory, Some(true));
    }
}
