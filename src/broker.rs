//! The broker: sockets in, session calls out.
//!
//! One process, one thread. It alone talks to the engine and writes the state, and it can die at any moment: nothing
//! that flows depends on it.

mod admit;
mod authorize;
mod budget;
mod capped;
mod connection;
mod events;
mod interface;
mod login;
mod look;
mod methods;
mod prepare;
mod privileges;
mod rest;
mod serve;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use methods::fuzz_call;
pub use privileges::drop_capabilities;
pub use rest::read as last_measurements;
pub use serve::run;
