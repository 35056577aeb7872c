//! systemd, where it runs this host.

use crate::sys::program::{self, Finished};
use anyhow::{Context as _, ensure};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Its tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Systemctl(PathBuf);

impl Systemctl {
    /// `None` where another init runs, by the directory that `sd_booted(3)` looks at.
    pub(super) fn find() -> Option<Self> {
        let booted = Path::new("/run/systemd/system").symlink_metadata().is_ok_and(|about| about.is_dir());
        program::find("systemctl").filter(|_| booted).map(Self)
    }

    /// Runs it to its end, whatever that is.
    pub(super) fn run(&self, arguments: &[&str], deadline: Duration) -> anyhow::Result<Finished> {
        program::run(&self.0, arguments, b"", deadline).context("running systemctl")
    }

    /// Runs it to a good end.
    pub(super) fn order(&self, arguments: &[&str], deadline: Duration) -> anyhow::Result<Finished> {
        let done = self.run(arguments, deadline)?;
        ensure!(done.succeeded(), "systemctl {}: {}", arguments.join(" "), done.complaint());
        Ok(done)
    }
}
