//! Socket directories of nobody: of containers that a restored database did not know, or of a crash.

use super::{Kind, Removed, Sessions};
use crate::{domain::SessionId, engine::Engine, link::Link, sys::crash};
use std::fs;

impl<E: Engine + 'static> Sessions<E> {
    /// Removes the directories that belong to no session. Only when the containers of nobody are gone: one that runs has
    /// its directory mounted.
    pub(super) fn sweep_directories(&self, dry_run: bool) -> Vec<Removed> {
        let Ok(entries) = fs::read_dir(&self.0.sockets) else { return Vec::new() };
        // What bears no id is not ours to remove.
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<SessionId>().ok());
        let mut removed = Vec::new();
        for id in ids.filter(|id| !self.is_in_use(id)) {
            if !dry_run {
                if let Err(error) = Link::remove_directory(&self.0.sockets, &id) {
                    tracing::debug!(%error, session = %id, "removing a socket directory of nobody");
                    continue;
                }
                crash::point("sweep.directory-removed");
            }
            let reason = "it belongs to no session".to_owned();
            removed.push(Removed { kind: Kind::Directory, name: id.to_string(), reason });
        }
        removed
    }
}
