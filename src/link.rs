//! The broker's end of the guest channel: one listening socket per session, one connection of the container's init.
//!
//! The socket that a packet came in on says which session it is about; the peer's process id, which the kernel
//! vouches for, says that it is the container's init and not another process inside. Apart from that nothing the
//! guest says is believed beyond its own session: packets are bounded, counted and limited in rate.

mod error;
mod exit_report;
mod pace;
mod socket;

use crate::{
    domain::{ChannelId, Outcome, SessionId},
    protocol::guest::{FromBroker, FromGuest, GUEST_SOCKET_NAME, MAX_CHANNELS, Open},
};
pub use error::LinkError;
pub use exit_report::ExitReport;
use pace::Pace;
use socket::{Connection, Listener};
use std::{
    cell::{Cell, RefCell},
    io,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time};

/// Connections that may wait until it is known which process is the container's init.
const MAX_UNKNOWN: usize = 8;
/// How long a guest may take for its greeting.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Packets of one guest that are read in one [`RATE_WINDOW`]; a channel needs one, so this is a hundred short
/// commands at once, ten times a second.
const RATE_PACKETS: u32 = 1000;
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// Connections that are accepted from one container in one [`RATE_WINDOW`]. A guest needs one, and another whenever the
/// broker was restarted.
const RATE_CONNECTIONS: u32 = 20;

/// An event on a guest's connection.
#[derive(Debug)]
pub enum GuestEvent {
    /// The guest is connected; these channels are open, whatever was known before.
    Up {
        /// The protocol version that both speak.
        protocol: u32,
        /// At most [`MAX_CHANNELS`].
        channels: Vec<ChannelId>,
    },
    /// A channel is over.
    Closed {
        /// The channel; it may be unknown to the broker.
        channel: ChannelId,
        /// How its process ended, if it did.
        outcome: Option<Outcome>,
    },
    /// Nothing was sent or received on any channel for so long, as far as the guest can be believed.
    Idle {
        /// At least.
        seconds: u64,
    },
    /// The connection is gone.
    Down,
}

/// The session's end of the guest channel. Dropping it closes the connection.
pub struct Link {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    init: watch::Sender<Option<i32>>,
    up: watch::Sender<bool>,
    connection: RefCell<Option<Rc<Connection>>>,
    /// The idle timeout of every guest of the session, in seconds, and the one that was sent to the connected guest.
    idle_timeout: Cell<u64>,
    sent_idle_timeout: Cell<Option<u64>>,
}

impl Shared {
    /// Sends the idle timeout to a guest that does not have it yet. A guest that is too old never reports anything idle;
    /// one that is stuck gets it the next time.
    fn send_idle_timeout(&self) {
        let (Some(connection), seconds) = (self.connection.borrow().clone(), self.idle_timeout.get()) else { return };
        if self.sent_idle_timeout.get() != Some(seconds)
            && connection.send(&FromBroker::IdleTimeout { seconds }, None).is_ok()
        {
            self.sent_idle_timeout.set(Some(seconds));
        }
    }
}

impl Link {
    /// Listens for the guest of session `id` in `root/<id>/` and calls `observer` with its events.
    ///
    /// Must be called within a `LocalSet`. The observer must not block.
    pub fn listen(root: &Path, id: &SessionId, observer: impl Fn(GuestEvent) + 'static) -> io::Result<Self> {
        let listener = Listener::bind(&Self::directory(root, id))?;
        let shared = Rc::new(Shared {
            init: watch::Sender::new(None),
            up: watch::Sender::new(false),
            connection: RefCell::new(None),
            idle_timeout: Cell::new(0),
            sent_idle_timeout: Cell::new(None),
        });
        let task = tokio::task::spawn_local(serve(listener, Rc::clone(&shared), observer));
        Ok(Self { shared, task })
    }

    /// Lets every process of the container connect, not only those that may override modes. For containers whose root
    /// cannot: without `CAP_DAC_OVERRIDE`, or in a user namespace of its own.
    pub fn open_to_all(root: &Path, id: &SessionId) -> io::Result<()> {
        let path = Self::directory(root, id).join(GUEST_SOCKET_NAME);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
    }

    /// Removes the directory of a session whose container is gone. A running container would never see another.
    pub fn remove_directory(root: &Path, id: &SessionId) -> io::Result<()> {
        match std::fs::remove_dir_all(Self::directory(root, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The directory that the session's container sees.
    #[must_use]
    pub fn directory(root: &Path, id: &SessionId) -> PathBuf {
        root.join(id.as_ref())
    }

    /// Names the only process that may speak: the container's init, by its process id on this host.
    pub fn expect(&self, init: i32) {
        self.shared.init.send_if_modified(|known| known.replace(init) != Some(init));
    }

    /// Whether a guest is connected.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.shared.up.borrow()
    }

    /// Waits until a guest is connected; false if that takes longer than `patience`.
    pub async fn wait_up(&self, patience: Duration) -> bool {
        let mut up = self.shared.up.subscribe();
        time::timeout(patience, up.wait_for(|up| *up)).await.is_ok_and(|result| result.is_ok())
    }

    /// Asks the guest for a process; `channel` is the guest's end of the channel's socket pair.
    pub fn open(&self, open: Open, channel: &OwnedFd) -> Result<(), LinkError> {
        self.send(&FromBroker::Open(open), Some(channel))
    }

    /// Hangs up one channel, or all.
    pub fn close(&self, channel: Option<ChannelId>) -> Result<(), LinkError> {
        self.send(&FromBroker::Close { channel }, None)
    }

    /// Shows one line on every connected terminal.
    pub fn notify(&self, text: &str) -> Result<(), LinkError> {
        self.send(&FromBroker::Notice { text: text.to_owned() }, None)
    }

    /// Hangs up all channels and shows the reason as the last line; an old guest shows it on terminals only.
    pub fn end(&self, text: &str) -> Result<(), LinkError> {
        match self.send(&FromBroker::End { text: text.to_owned() }, None) {
            Err(LinkError::Old) => self.notify(text).and_then(|()| self.close(None)),
            result => result,
        }
    }

    /// After how many seconds of silence on all channels the guest is to report it; 0 is never. Holds for every
    /// connection to come as well.
    pub fn set_idle_timeout(&self, seconds: u64) {
        self.shared.idle_timeout.set(seconds);
        self.shared.send_idle_timeout();
    }

    fn send(&self, packet: &FromBroker, fd: Option<&OwnedFd>) -> Result<(), LinkError> {
        let connection = self.shared.connection.borrow().clone().ok_or(LinkError::Down)?;
        connection.send(packet, fd)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The directory stays: containers have it mounted, and the next broker listens in the same one.
        self.task.abort();
    }
}

/// Accepts the guest, again and again, until aborted.
async fn serve(listener: Listener, shared: Rc<Shared>, observer: impl Fn(GuestEvent)) {
    let mut unknown: Vec<Connection> = Vec::new();
    let mut init = shared.init.subscribe();
    let mut next: Option<Connection> = None;
    let mut pace = Pace::new(RATE_CONNECTIONS, RATE_WINDOW);
    loop {
        pace.wait().await;
        let connection = if let Some(connection) = next.take() {
            connection
        } else {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(connection) => connection,
                    // Out of descriptors, most likely: not this session's fault, and not for ever.
                    Err(error) => {
                        tracing::debug!(%error, "accepting a guest");
                        time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                _ = init.changed() => {
                    let expected = *init.borrow_and_update();
                    next = unknown.drain(..).find(|connection| Some(connection.pid()) == expected);
                    continue;
                }
            }
        };
        match *init.borrow() {
            None if unknown.len() < MAX_UNKNOWN => unknown.push(connection),
            Some(pid) if pid == connection.pid() => {
                next = converse(&listener, Rc::new(connection), &shared, &observer).await;
            }
            _ => {
                tracing::debug!(pid = connection.pid(), "a process that is not the container's init connected");
            }
        }
    }
}

/// Speaks with the guest until its connection ends; returns the one that took its place, if any.
async fn converse(
    listener: &Listener,
    connection: Rc<Connection>,
    shared: &Shared,
    observer: &impl Fn(GuestEvent),
) -> Option<Connection> {
    let Ok(Ok(Some(FromGuest::Hello { protocol, release, mut channels }))) =
        time::timeout(HELLO_TIMEOUT, connection.receive()).await
    else {
        return None;
    };
    channels.truncate(MAX_CHANNELS);
    let protocol = connection.agree(protocol).ok()?;
    let release: String = release.chars().filter(char::is_ascii_graphic).take(64).collect();
    tracing::debug!(pid = connection.pid(), protocol, release, "guest connected");
    *shared.connection.borrow_mut() = Some(Rc::clone(&connection));
    shared.sent_idle_timeout.set(None);
    shared.send_idle_timeout();
    // Before the observer is called: it may ask at once whether the guest is connected.
    shared.up.send_replace(true);
    observer(GuestEvent::Up { protocol, channels });

    let mut packets = Pace::new(RATE_PACKETS, RATE_WINDOW);
    let mut strangers = Pace::new(RATE_CONNECTIONS, RATE_WINDOW);
    let replacement = loop {
        tokio::select! {
            packet = packets.then(|| connection.receive()) => match packet {
                Ok(Some(FromGuest::Closed { channel, outcome })) => observer(GuestEvent::Closed { channel, outcome }),
                Ok(Some(FromGuest::Idle { seconds })) => observer(GuestEvent::Idle { seconds }),
                // Giving the connection up would bring the same packet again, with the next one.
                Ok(None) => tracing::debug!(pid = connection.pid(), "a packet of a later version"),
                Ok(Some(FromGuest::Hello { .. })) | Err(_) => break None,
            },
            accepted = strangers.then(|| listener.accept()) => match accepted {
                // The same process connects again only when it has given up the old connection.
                Ok(other) if other.pid() == connection.pid() => break Some(other),
                Ok(_) => {}
                Err(_) => time::sleep(Duration::from_millis(100)).await,
            },
        }
    };
    shared.up.send_replace(false);
    *shared.connection.borrow_mut() = None;
    observer(GuestEvent::Down);
    replacement
}

#[cfg(test)]
mod tests;
