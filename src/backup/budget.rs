//! The share of a backup that one home may take; its owner can fill it with files that are cheap to make.

use super::manifest::{Entry, MAX_ENTRIES, MAX_MANIFEST_BYTES};
use crate::domain::{Size, Span};
use std::{
    io,
    time::{Duration, Instant},
};

/// Most files and directories of one home.
const MAX_HOME_ENTRIES: usize = 400_000;
/// Most bytes of the manifest that name one home's files: a name of 4 KiB may take six times that.
const MAX_HOME_MANIFEST_BYTES: u64 = MAX_MANIFEST_BYTES / 4;
/// Bytes of the manifest for all files that are no home's.
const RESERVED_MANIFEST_BYTES: u64 = MAX_MANIFEST_BYTES / 16;

/// The limits of one home; beyond them it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeLimits {
    /// Bytes of its files. Holes count, since the hash of a file covers them, but they are not read and not written.
    pub size: Size,
    /// For copying it.
    pub time: Span,
}

/// The rest of the share. Without limits, for files that are no home's, everything is allowed.
#[derive(Debug, Default)]
pub(super) struct Budget {
    home: Option<Home>,
    /// Bytes of the manifest for all homes so far.
    manifest: u64,
}

#[derive(Debug)]
struct Home {
    limits: HomeLimits,
    end: Instant,
    size: u64,
    entries: usize,
    manifest: u64,
    over: Option<String>,
}

impl Budget {
    /// From now on a home is copied.
    pub(super) fn begin(&mut self, limits: HomeLimits) {
        let end = Instant::now() + Duration::from_secs(limits.time.as_secs());
        self.home = Some(Home { limits, end, size: 0, entries: 0, manifest: 0, over: None });
    }

    /// No home is copied any more. What it took counts if it stays in the backup.
    pub(super) fn end(&mut self, stays: bool) {
        if let Some(home) = self.home.take().filter(|_| stays) {
            self.manifest += home.manifest;
        }
    }

    /// Why the home takes more than it may, if it does.
    pub(super) fn over(&self) -> Option<&str> {
        self.home.as_ref()?.over.as_deref()
    }

    /// Largest single file, in bytes.
    pub(super) fn largest(&self) -> Option<Size> {
        self.home.as_ref().map(|home| home.limits.size)
    }

    /// How many more entries there may be, with `used` in the whole backup.
    pub(super) fn entries_left(&self, used: usize) -> usize {
        let all = MAX_ENTRIES.saturating_sub(used);
        self.home.as_ref().map_or(all, |home| all.min(MAX_HOME_ENTRIES.saturating_sub(home.entries)))
    }

    /// Notes that there are more entries than there may be.
    pub(super) fn refuse_entries(&mut self) -> io::Error {
        let Some(home) = &mut self.home else { return io::Error::other(format!("more than {MAX_ENTRIES} files")) };
        let why = if home.entries >= MAX_HOME_ENTRIES {
            format!("it has more than {MAX_HOME_ENTRIES} files")
        } else {
            format!("all homes together have more than {MAX_ENTRIES} files")
        };
        home.exceed(why)
    }

    /// Takes an entry of the manifest.
    pub(super) fn take_entry(&mut self, entry: &Entry, used: usize) -> io::Result<()> {
        if self.entries_left(used) == 0 {
            return Err(self.refuse_entries());
        }
        let Some(home) = &mut self.home else { return Ok(()) };
        home.entries += 1;
        home.manifest += entry.written_bytes();
        let all = MAX_MANIFEST_BYTES - RESERVED_MANIFEST_BYTES;
        if home.manifest > MAX_HOME_MANIFEST_BYTES || self.manifest + home.manifest > all {
            return Err(home.exceed("the names of its files are longer than a manifest may be".to_owned()));
        }
        Ok(())
    }

    /// Takes bytes of a file; an error once time or bytes are used up.
    pub(super) fn take_bytes(&mut self, bytes: u64) -> io::Result<()> {
        let Some(home) = &mut self.home else { return Ok(()) };
        home.size = home.size.saturating_add(bytes);
        let HomeLimits { size, time } = home.limits;
        if home.size > size.as_bytes() {
            return Err(home.exceed(format!("it has more than {size} (--home-size)")));
        }
        if Instant::now() > home.end {
            return Err(home.exceed(format!("copying it took more than {time} (--home-time)")));
        }
        Ok(())
    }
}

impl Home {
    fn exceed(&mut self, why: String) -> io::Error {
        io::Error::other(self.over.insert(why).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(size: &str, time: &str) -> HomeLimits {
        HomeLimits { size: size.parse().unwrap(), time: time.parse().unwrap() }
    }

    #[test]
    fn files_outside_of_homes_have_no_limit() {
        let mut budget = Budget::default();
        budget.take_bytes(u64::MAX).unwrap();
        assert_eq!((budget.over(), budget.entries_left(7)), (None, MAX_ENTRIES - 7));
    }

    #[test]
    fn a_home_that_takes_too_much_is_over_and_the_next_begins_anew() {
        let mut budget = Budget::default();
        budget.begin(limits("1k", "1h"));
        budget.take_bytes(1024).unwrap();
        assert_eq!(budget.take_bytes(1).unwrap_err().to_string(), "it has more than 1k (--home-size)");
        assert!(budget.over().is_some());
        budget.end(false);
        budget.begin(limits("1k", "0s"));
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(budget.take_bytes(1).unwrap_err().to_string(), "copying it took more than 0s (--home-time)");
        budget.begin(limits("1k", "1h"));
        assert_eq!((budget.over(), budget.entries_left(MAX_ENTRIES - 3)), (None, 3));
        assert!(budget.refuse_entries().to_string().starts_with("all homes together"));
    }
}
