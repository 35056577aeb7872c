//! Giving up the privileges that the broker and the metrics server do not need.

use anyhow::{Context as _, ensure};
use caps::{CapSet, CapsHashSet};

/// Drops every capability, from the bounding set too, and checks that none is left.
///
/// Called before any input is read. The unit drops them as well; this covers a broker that is started without the unit.
pub fn drop_capabilities() -> anyhow::Result<()> {
    // The bounding set first: lowering it needs a capability. Without one it must be empty already, or it is of no
    // use to us: with no_new_privs nothing can be gained from it.
    for capability in caps::all() {
        if caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) {
            let _ = caps::drop(None, CapSet::Bounding, capability);
        }
    }
    caps::clear(None, CapSet::Ambient).or_else(ignore_unsupported).context("dropping ambient capabilities")?;
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &CapsHashSet::new()).context("dropping capabilities")?;
        ensure!(caps::read(None, set)?.is_empty(), "capabilities are left in the {set:?} set");
    }
    Ok(())
}

/// Kernels before Linux 4.3 have no ambient capabilities to drop.
fn ignore_unsupported(error: caps::errors::CapsError) -> Result<(), caps::errors::CapsError> {
    match caps::has_cap(None, CapSet::Ambient, caps::Capability::CAP_CHOWN) {
        Ok(false) | Err(_) => Ok(()),
        Ok(true) => Err(error),
    }
}
