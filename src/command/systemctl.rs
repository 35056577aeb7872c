//! systemd, where it runs this host.

use crate::sys::{
    program::{self, Finished},
    systemd,
};
use anyhow::{Context as _, ensure};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Its tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Systemctl(PathBuf);

impl Systemctl {
    /// `None` where another init runs.
    pub(super) fn find() -> Option<Self> {
        systemd::systemctl().map(Self)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
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
