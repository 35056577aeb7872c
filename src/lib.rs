//! podspawn: `ssh user@host` lands in the user's own container.
//!
//! The floors, lowest first: `domain`; `config`, `policy`, `protocol`; `store`, `engine`, `guest`, `link`,
//! `accounts`, `sys`; `session`; `broker`; `command`; `cli`. A module imports lower floors only
//! (`tests/floors.rs`).

pub mod accounts;
pub mod command;
pub mod config;
pub mod domain;
pub mod policy;
pub mod protocol;
pub mod settings;
pub mod sys;
