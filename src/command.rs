//! The verbs: one file each, named as typed.

pub mod auth_keys;
pub mod backup;
pub mod broker;
pub mod check_config;
pub mod cleanup;
pub mod completions;
pub mod guest;
pub mod list;
pub mod man;
pub mod restore;
pub mod spawn;
pub mod status;
pub mod stop;
mod table;
