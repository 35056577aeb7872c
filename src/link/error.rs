//! Why a request did not reach the guest.

use crate::protocol::packet::PacketError;

/// Why a request did not reach the guest.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The guest is not connected; it may be again in a moment.
    #[error("the container's guest is not connected")]
    Down,
    /// The guest does not read what it is sent.
    #[error("the container's guest does not answer")]
    Stuck,
    /// Too many descriptors are being sent by processes of the broker's uid.
    #[error("the channel cannot be sent to the container: too many descriptors are being sent")]
    InFlight,
    /// The guest is of a version that does not know the request.
    #[error("the container's guest is older than the request")]
    Old,
    /// The request does not fit a packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
}
