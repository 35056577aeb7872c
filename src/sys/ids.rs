//! User and group ids as the kernel takes them.
//!
//! 2³²-1 is no id: chown(2) and setresuid(2) take it for "no change", and rustix's types refuse it (they panic in a debug
//! build). Every number that this process did not choose itself goes through here.

use rustix::fs::{Gid, Uid};

/// The user id `id`; `None`, "no change", for 2³²-1.
#[must_use]
pub fn uid(id: u32) -> Option<Uid> {
    (id != u32::MAX).then(|| Uid::from_raw(id))
}

/// The group id `id`; `None`, "no change", for 2³²-1.
#[must_use]
pub fn gid(id: u32) -> Option<Gid> {
    (id != u32::MAX).then(|| Gid::from_raw(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_is_no_id() {
        assert_eq!((uid(u32::MAX), gid(u32::MAX)), (None, None));
        assert_eq!((uid(0), gid(u32::MAX - 1)), (Some(Uid::ROOT), Some(Gid::from_raw(u32::MAX - 1))));
    }
}
