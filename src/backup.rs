//! Backups and restores of the state, the keys, the configuration, and of homes on request.
//!
//! A backup is a directory that gets its name once it is complete and was read again. A restore reads all of the backup,
//! lays the files out beside those that they replace, and commits by writing a journal. From then on the next run finishes
//! the restore, and the broker does not start before. This module starts and stops no service and knows no sessions.

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
pub use error::{BackupError, Fault, PENDING};
pub use journal::{Journal, Prepared, is_restore_pending};
pub use lock::StateLock;
pub use manifest::{EntryFault, LeftOut, ManifestError, NameError};
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
