//! The limits that a login is held against.

use super::HostAccounts;
use crate::{domain::Pool, sys::routes::Route};
use std::io;

/// The limits on sessions, and the resources of the host for another. As configured at the time of the request.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Sessions of one user.
    pub per_user: u32,
    /// Sessions of all users together.
    pub total: u32,
    /// The subnets for networks.
    pub pool: Pool,
    /// Reads the host's routes, whose networks sessions must not take. Called only when a session begins.
    pub routes: fn() -> io::Result<Vec<Route>>,
    /// Access to the host's accounts. Used only when a session begins.
    pub accounts: HostAccounts,
}
