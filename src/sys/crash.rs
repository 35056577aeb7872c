//! Dying at a chosen moment, for the fault suite. A release build has nothing of it, unless the feature `crash-points` is on.
//!
//! A point lies between two steps of which a crash may take the second. The suite arms one by its name, or by
//! `name:3` for the third passing, in [`ORDER`]. Only root and the broker's own user can write there.

/// Every point. `tests/floors.rs` holds it against the calls.
pub const POINTS: &[&str] = &[
    "attach.channel-opened",
    "attach.connect-written",
    "attach.mode-stored",
    "attach.row-written",
    "attach.uid-allotted",
    "audit.line-appended",
    "audit.line-queued",
    "create.container-created",
    "create.container-stored",
    "create.guest-up",
    "create.home-made",
    "create.inspected",
    "create.listening",
    "create.name-stored",
    "create.network-created",
    "create.network-stored",
    "create.running-stored",
    "create.started",
    "create.subnet-stored",
    "destroy.begun",
    "destroy.container-removed",
    "destroy.directory-removed",
    "destroy.ends-written",
    "destroy.found-container-removed",
    "destroy.found-network-removed",
    "destroy.network-removed",
    "destroy.row-deleted",
    "destroy.state-stored",
    "destroy.undoing",
    "expire.hung-up",
    "expire.left-stored",
    "expire.returned-stored",
    "guest.half-copied",
    "restore.listening",
    "restore.row-found",
    "store.file-made",
    "store.migrated",
    "store.migrating",
    "sweep.container-removed",
    "sweep.directory-removed",
    "sweep.due-found",
    "sweep.network-removed",
];

/// Where the point to die at is named. Consumed by that death: the next broker lives.
pub const ORDER: &str = "/run/podspawn/guests/crash-at";

/// Dies here, as SIGKILL would have it, if that was ordered.
#[cfg(not(any(debug_assertions, feature = "crash-points")))]
#[inline(always)]
#[allow(clippy::inline_always)] // or the names would be in the program
pub const fn point(_: &str) {}

/// Dies here, as SIGKILL would have it, if that was ordered.
#[cfg(any(debug_assertions, feature = "crash-points"))]
pub fn point(name: &'static str) {
    use std::{collections::BTreeMap, fs, sync::Mutex};

    static PASSED: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
    let Ok(order) = fs::read_to_string(ORDER) else { return };
    let (ordered, passing) = order.trim().split_once(':').unwrap_or((order.trim(), "1"));
    if ordered != name {
        return;
    }
    let Ok(mut passed) = PASSED.lock() else { return };
    let count = passed.entry(name).or_default();
    *count += 1;
    if passing.parse() == Ok(*count) && fs::remove_file(ORDER).is_ok() {
        // Nothing unwinds, is flushed or dropped.
        std::process::abort();
    }
}
