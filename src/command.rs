//! The verbs: one file each, named as typed.

pub mod spawn;
