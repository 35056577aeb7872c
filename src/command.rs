//! The verbs: one file each, named as typed.

pub mod broker;
pub mod guest;
mod log;
pub mod spawn;
