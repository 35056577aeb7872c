//! podspawn: `ssh user@host` lands in the user's own container.
//!
//! The modules are on floors, and a module imports lower floors only. docs/develop.md lists the floors with the content of
//! each module; tests/floors.rs checks both.

pub mod accounts;
pub mod audit;
pub mod backup;
pub mod broker;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod engine;
pub mod event;
pub mod guest;
pub mod link;
pub mod log;
pub mod measure;
pub mod openmetrics;
pub mod policy;
pub mod protocol;
pub mod session;
pub mod settings;
pub mod sshd;
pub mod store;
pub mod sys;
