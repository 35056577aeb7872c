//! Checks of the host: what stands in podspawn's way, each with what to do about it.
//!
//! A check takes what it looks at and gives findings. It changes nothing and prints nothing: `server-setup` refuses on
//! what is broken, and others list it.

pub mod binary;
mod catalogue;
mod configuration;
mod confined;
mod container_engine;
mod entrance;
mod examine;
mod host;
pub mod image;
pub mod immutable;
mod installed;
mod kernel;
pub mod layout;
mod lookup;
mod measured;
mod people;
mod records;
mod report;
mod room;
mod runtime;
mod saved;
mod services;
pub mod sshd;
mod state;
mod surroundings;
mod user_ids;
pub mod ways_in;

pub use catalogue::{CHECKS, Check};
pub use examine::examine;
pub use host::Host;
pub use report::{Outcome, Report};

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody gets in, or more than should.
    Broken,
    /// It works, and somebody should know.
    Notable,
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// What to do where NixOS's configuration makes the files that would be changed.
    nixos: Option<String>,
}

impl Finding {
    /// Something that has to be mended.
    pub fn broken(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Broken, what: what.into(), remedy: remedy.into(), nixos: None }
    }

    /// Something that is worth knowing.
    pub fn notable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Notable, what: what.into(), remedy: remedy.into(), nixos: None }
    }

    /// The same, with what to do on NixOS.
    #[must_use]
    pub fn on_nixos(self, remedy: impl Into<String>) -> Self {
        Self { nixos: Some(remedy.into()), ..self }
    }

    /// Whether it has to be mended.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.severity == Severity::Broken
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.remedy.as_str() {
            "" => f.write_str(&self.what),
            remedy => write!(f, "{}: {remedy}", self.what),
        }
    }
}
