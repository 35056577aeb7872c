//! What processes say to one another: packets of the guest channel, calls of the Varlink interface.
//!
//! Pure: bytes in, values out. The sockets are elsewhere.

pub mod examination;
pub mod guest;
pub mod measurements;
pub mod packet;
pub mod stream;
pub mod varlink;

#[cfg(test)]
mod tests;
