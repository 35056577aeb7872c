//! What cannot be had again, copied and brought back: the state, the keys, the configuration, and homes if asked.
//!
//! A backup is a directory that has its name only once it is complete and was read again. A restore reads all of the
//! backup, lays everything out beside what it replaces, and then commits by writing a journal: from that moment
//! whoever finds the journal goes on, and the broker does not start. Nothing here stops or starts anything, and
//! nothing here knows podspawn's sessions.

mod budget;
mod copies;
mod error;
mod files;
mod homes;
mod journal;
mod lock;
mod manifest;
mod name;
mod owner;
mod places;
mod plan;
mod prune;
mod stage;
mod verify;
mod write;

pub use budget::HomeLimits;
pub use copies::Named;
pub use error::BackupError;
pub use journal::{Journal, PENDING, Prepared, is_restore_pending};
pub use lock::StateLock;
pub use manifest::LeftOut;
pub use name::BackupName;
pub use places::Places;
pub use plan::{Change, Plan};
pub use verify::Backup;
pub use write::{Order, Report, back_up};

/// The paths and the ids of a manifest, if it is one.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn fuzz_manifest(text: &[u8]) -> Option<(Vec<String>, Vec<u32>)> {
    let manifest = manifest::Manifest::parse(text).ok()?;
    let paths = manifest.entries.iter().map(|entry| entry.path.to_string()).collect();
    let ids = manifest.entries.iter().flat_map(|entry| [entry.owner.uid, entry.owner.gid]).collect();
    Some((paths, ids))
}

#[cfg(test)]
mod tests;
