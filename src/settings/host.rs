//! What the host's PAM gives to every session of sshd, read again when a file of it changes.

use super::{Fingerprint, read_bounded};
use crate::policy::host_environment::HostEnvironment;
use std::path::Path;

/// The variables, and the files that they come from.
#[derive(Debug, Default)]
pub struct HostVariables {
    seen: Option<Fingerprint>,
    current: HostEnvironment,
}

impl HostVariables {
    /// As the files are now: a stat for each, where none has changed.
    pub fn current(&mut self) -> &HostEnvironment {
        if !self.seen.as_ref().is_some_and(Fingerprint::holds) {
            let mut seen = Fingerprint::default();
            self.current = HostEnvironment::read(|path: &Path| {
                // Before it is read, so that a change while it is read is noticed the next time.
                seen.see(path);
                read_bounded(path).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            });
            self.seen = Some(seen);
        }
        &self.current
    }
}
