//! The broker: answers calls on its socket with sessions.
//!
//! One process, one thread. No other process uses the engine or writes the state. The broker can exit at any moment: no
//! connection's data pass through it.
//!
//! From bottom to top: `peers` and `gauges`, `state`, `methods`, `connection`, `accept`, `serve`.

mod accept;
mod authorize;
mod budget;
mod caller;
mod capped;
mod connection;
mod events;
mod gauges;
mod idle_snapshot;
mod login;
mod methods;
mod peers;
mod prepare;
mod privileges;
mod reply;
mod serve;
mod snapshot;
mod state;

pub use authorize::access_table;
pub use idle_snapshot::read as last_measurements;
pub use privileges::drop_capabilities;
pub use serve::run;

/// Reads a call as a connection does: `None` if it is none; an error names the parameter that is not the method's.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn fuzz_call(bytes: &[u8]) -> Option<Result<(), String>> {
    let (method, parameters) = connection::read(bytes)?;
    Some(methods::fuzz_parameters(&method, parameters))
}
