//! A container's only packet: what its guest reports before it exits.

use super::{Link, socket::Listener};
use crate::domain::SessionId;
use std::{io, path::Path};

/// A socket like a session's that receives a single packet.
pub struct ExitReport(Listener);

impl ExitReport {
    /// Listens in `root/<id>/`. With `open_to_all` every process of the container may connect; see [`Link::open_to_all`].
    pub fn listen(root: &Path, id: &SessionId, open_to_all: bool) -> io::Result<Self> {
        let listener = Listener::bind(&Link::directory(root, id))?;
        if open_to_all {
            Link::open_to_all(root, id)?;
        }
        Ok(Self(listener))
    }

    /// Receives the packet of the process `init`, of at most `most` bytes. A packet of another process is dropped unread.
    /// The sender sees its connection end.
    pub async fn receive(&self, init: i32, most: usize) -> io::Result<Vec<u8>> {
        loop {
            let connection = self.0.accept().await?;
            if connection.pid() == init {
                return connection.receive_bytes(most).await;
            }
        }
    }
}
