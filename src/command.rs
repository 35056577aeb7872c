//! The verbs, one file each, called as they are typed.

pub mod auth_keys;
pub mod check_config;
