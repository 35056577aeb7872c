//! A session as its guest has it: the link to the guest, and the connections that the guest says are open.
//!
//! The guest is not trusted. It may end connections of its own session and may be believed about that; connections that
//! the broker did not open do not count.

use crate::{
    domain::{ChannelId, Outcome},
    link::Link,
    protocol::guest::CHANNELS_WRITTEN,
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Time between two reports of invented connections of one session.
const INVENTED_PAUSE: Duration = Duration::from_secs(600);

/// The link to a session's guest and its connections.
pub(super) struct GuestSide {
    /// Open connections.
    channels: watch::Sender<BTreeSet<ChannelId>>,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    link: Option<Rc<Link>>,
    /// Connections that were hung up because they were idle, until the guest reports their end.
    hung_up_idle: BTreeSet<ChannelId>,
    /// Connections that are left out of the logs, since their user exceeds the allowance.
    unlogged: BTreeSet<ChannelId>,
    /// When the guest was last asked for a process.
    last_open: Option<Instant>,
    /// The version of the guest protocol in use, as last recorded.
    protocol: Option<u32>,
    /// The guest may hold connections of a broker that recorded none: its next greeting is believed.
    inherits: bool,
    /// A task waits for the guest to connect again.
    is_awaited: bool,
    invented: Invented,
}

/// What follows from the greeting of a guest.
pub(super) struct Greeting {
    /// Connections whose end was missed.
    pub(super) ended: Vec<ChannelId>,
    /// How many connections the guest has invented since the last report, if another is due.
    pub(super) invented: Option<usize>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// It was hung up because it was idle.
    Idle,
    /// Its process ended, its client left, or all connections are being closed.
    Otherwise,
}

impl GuestSide {
    /// The guest has yet to connect.
    pub(super) fn new() -> Self {
        Self { channels: watch::Sender::default(), known: RefCell::default() }
    }

    /// The guest of a container that an earlier broker created, with the version of the protocol that it recorded.
    pub(super) fn restored(protocol: Option<u32>) -> Self {
        let inherits = protocol.is_some_and(|protocol| protocol < CHANNELS_WRITTEN);
        let known = Known { protocol, inherits, ..Known::default() };
        Self { known: RefCell::new(known), ..Self::new() }
    }

    /// The guest is listened for.
    pub(super) fn listens(&self, link: Rc<Link>) {
        self.known.borrow_mut().link = Some(link);
    }

    pub(super) fn link(&self) -> Option<Rc<Link>> {
        self.known.borrow().link.clone()
    }

    /// Whether the guest is connected.
    pub(super) fn is_up(&self) -> bool {
        self.link().is_some_and(|link| link.is_up())
    }

    /// Prints a notice at the terminals of connected users.
    pub(super) fn notify(&self, text: &str) {
        if let Some(link) = self.link() {
            // Best effort: without its guest a session has no terminals.
            let _ = link.notify(text);
        }
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.channels.borrow().len()
    }

    /// The open connections.
    pub(super) fn channels(&self) -> BTreeSet<ChannelId> {
        self.channels.borrow().clone()
    }

    /// Waits until no connection is open.
    pub(super) async fn all_closed(&self) {
        // The sender is `self`, so the channel stays open.
        let _ = self.channels.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    /// The guest was asked for a process on a new connection.
    pub(super) fn opened(&self, channel: ChannelId) {
        self.known.borrow_mut().last_open = Some(Instant::now());
        self.channels.send_modify(|channels| {
            channels.insert(channel);
        });
    }

    /// Whether a connection was opened less than `span` ago.
    pub(super) fn opened_within(&self, span: Duration) -> bool {
        self.known.borrow().last_open.is_some_and(|at| at.elapsed() < span)
    }

    /// The guest reports the end of a connection; `None` if that was not open.
    pub(super) fn closed(&self, channel: ChannelId, outcome: Option<Outcome>) -> Option<Closed> {
        let was_hung_up = self.known.borrow_mut().hung_up_idle.remove(&channel);
        let was_open = self.channels.send_if_modified(|channels| channels.remove(&channel));
        // A process that ended by itself a moment before was not idle.
        let closed = if was_hung_up && outcome.is_none() { Closed::Idle } else { Closed::Otherwise };
        was_open.then_some(closed)
    }

    /// All connections were hung up because they were idle.
    pub(super) fn hung_up_idle(&self) {
        let channels = self.channels();
        self.known.borrow_mut().hung_up_idle = channels;
    }

    /// Takes the connections that the guest names as open, as far as they are among those that the broker `opened`;
    /// `None` is unknown. A guest that belongs to the container's root may name others: they would count as
    /// connections, keep the session for ever, and fill the log with their ends. Those that it does not name are over.
    pub(super) fn greeted(&self, named: BTreeSet<ChannelId>, opened: Option<&BTreeSet<ChannelId>>) -> Greeting {
        let mut known = self.known.borrow_mut();
        let count = named.len();
        // If it is unknown which ones were opened, a connection too many does less harm than one too few.
        let live: BTreeSet<ChannelId> = match opened {
            Some(opened) if !std::mem::take(&mut known.inherits) => named.intersection(opened).copied().collect(),
            _ => named,
        };
        let invented = known.invented.count(count - live.len());
        let ended = opened.into_iter().flatten().filter(|channel| !live.contains(channel)).copied().collect();
        known.hung_up_idle.retain(|channel| live.contains(channel));
        self.channels.send_replace(live);
        Greeting { ended, invented }
    }

    /// Ends the link, and returns the connections that were open.
    pub(super) fn cut_off(&self) -> BTreeSet<ChannelId> {
        let link = self.known.borrow_mut().link.take();
        drop(link);
        self.channels.send_replace(BTreeSet::new())
    }

    /// The guest speaks this version of the protocol. True if that is to be recorded: the guest of a container is always
    /// the same, and one that speaks less than before is another program.
    pub(super) fn speaks(&self, protocol: u32) -> bool {
        let mut known = self.known.borrow_mut();
        let is_new = known.protocol.is_none_or(|known| protocol > known);
        if is_new {
            known.protocol = Some(protocol);
        }
        is_new
    }

    /// Leaves a connection out of the logs.
    pub(super) fn leave_unlogged(&self, channel: ChannelId) {
        self.known.borrow_mut().unlogged.insert(channel);
    }

    pub(super) fn is_unlogged(&self, channel: ChannelId) -> bool {
        self.known.borrow().unlogged.contains(&channel)
    }

    /// Forgets a connection that is over. True if it was left out of the logs.
    pub(super) fn forget_unlogged(&self, channel: ChannelId) -> bool {
        self.known.borrow_mut().unlogged.remove(&channel)
    }

    /// True for the first task that is to wait for the guest, until [`Self::no_longer_awaited`].
    pub(super) fn await_return(&self) -> bool {
        !std::mem::replace(&mut self.known.borrow_mut().is_awaited, true)
    }

    pub(super) fn no_longer_awaited(&self) {
        self.known.borrow_mut().is_awaited = false;
    }

    /// As if the last connection had been opened long ago.
    #[cfg(test)]
    pub(super) fn forget_last_open(&self) {
        self.known.borrow_mut().last_open = None;
    }
}

/// Counts connections that a guest names and the broker did not open, and has them reported seldom.
#[derive(Default)]
struct Invented {
    count: usize,
    reported: Option<Instant>,
}

impl Invented {
    /// Counts so many more. Returns how many there were since the last report, if another is due.
    fn count(&mut self, more: usize) -> Option<usize> {
        self.count = self.count.saturating_add(more);
        if self.count == 0 || self.reported.is_some_and(|at| at.elapsed() < INVENTED_PAUSE) {
            return None;
        }
        self.reported = Some(Instant::now());
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(ids: &[u64]) -> BTreeSet<ChannelId> {
        ids.iter().copied().map(ChannelId).collect()
    }

    #[test]
    fn a_greeting_counts_connections_that_the_broker_opened_and_ends_those_that_it_does_not_name() {
        let side = GuestSide::new();
        let greeting = side.greeted(channels(&[1, 2, 3]), Some(&channels(&[2, 3, 4])));
        assert_eq!(side.channels(), channels(&[2, 3]));
        assert_eq!((greeting.ended, greeting.invented), (vec![ChannelId(4)], Some(1)));
        let again = side.greeted(channels(&[1, 2, 3]), Some(&channels(&[2, 3])));
        assert_eq!((again.ended, again.invented), (Vec::new(), None), "invented ones are reported seldom");
    }

    #[test]
    fn the_first_greeting_is_believed_if_the_broker_recorded_no_connections() {
        let side = GuestSide::restored(Some(CHANNELS_WRITTEN - 1));
        side.greeted(channels(&[1]), Some(&channels(&[])));
        assert_eq!(side.channels(), channels(&[1]));
        side.greeted(channels(&[1, 2]), Some(&channels(&[1])));
        assert_eq!(side.channels(), channels(&[1]));
    }

    #[test]
    fn a_connection_that_was_hung_up_idle_ends_as_such_unless_its_process_had_ended() {
        let side = GuestSide::new();
        for channel in channels(&[1, 2, 3]) {
            side.opened(channel);
        }
        side.hung_up_idle();
        side.opened(ChannelId(4));
        assert_eq!(side.closed(ChannelId(1), None), Some(Closed::Idle));
        assert_eq!(side.closed(ChannelId(2), Some(Outcome::Exited(0))), Some(Closed::Otherwise));
        assert_eq!(side.closed(ChannelId(4), None), Some(Closed::Otherwise));
        assert_eq!(side.closed(ChannelId(4), None), None, "not open any more");
        assert_eq!(side.cut_off(), channels(&[3]));
        assert_eq!(side.connections(), 0);
    }

    #[test]
    fn a_guest_that_claims_an_older_protocol_is_not_recorded() {
        let side = GuestSide::restored(Some(2));
        assert!(!side.speaks(1) && !side.speaks(2) && side.speaks(3) && !side.speaks(2));
    }
}
