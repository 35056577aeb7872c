//! The protocols between processes: packets of the guest channel, calls of the Varlink interfaces.
//!
//! Pure functions between bytes and values, without sockets.

pub mod examination;
pub mod guest;
pub mod measurements;
pub mod packet;
pub mod stream;
pub mod varlink;

#[cfg(test)]
mod tests;
