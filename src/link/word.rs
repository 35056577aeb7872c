//! One packet of a container that has nothing else to say: no greeting, no answer.

use super::{Link, socket::Listener};
use crate::domain::SessionId;
use std::{io, path::Path};

/// A socket like a session's, on which a single packet is awaited.
pub struct Word(Listener);

impl Word {
    /// Listens in `root/<id>/`. With `open_to_all` for every process of the container; see [`Link::open_to_all`].
    pub fn listen(root: &Path, id: &SessionId, open_to_all: bool) -> io::Result<Self> {
        let listener = Listener::bind(&Link::directory(root, id))?;
        if open_to_all {
            Link::open_to_all(root, id)?;
        }
        Ok(Self(listener))
    }

    /// The packet of the process `init`, of at most so many bytes; that of anybody else is dropped unread. Whoever sent
    /// it sees its connection end.
    pub async fn hear(&self, init: i32, most: usize) -> io::Result<Vec<u8>> {
        loop {
            let connection = self.0.accept().await?;
            if connection.pid() == init {
                return connection.receive_bytes(most).await;
            }
        }
    }
}
