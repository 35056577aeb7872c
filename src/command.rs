//! The verbs: one file each, named as typed.

pub mod add_user;
pub mod auth_keys;
pub mod backup;
pub mod broker;
pub mod check_config;
pub mod cleanup;
pub mod completions;
pub mod doctor;
mod former;
pub mod guest;
mod keys;
pub mod list;
pub mod list_users;
pub mod man;
pub mod metrics;
mod progress;
mod prove;
pub mod reference;
pub mod remove_user;
pub mod restore;
mod scrape;
pub mod server_setup;
pub mod spawn;
pub mod status;
pub mod stop;
mod table;
pub mod verify_image;

/// Refuses callers other than root, before a permission error would do so less clearly.
fn require_root(verb: &str) -> anyhow::Result<()> {
    anyhow::ensure!(rustix::process::geteuid().is_root(), "{verb} is for root: sudo podspawn {verb} …");
    Ok(())
}
