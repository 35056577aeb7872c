//! Tests of which every one takes the bench host for itself. Other subjects have a module of this name for those that do.

mod prove;
mod sshd_match;
mod upgrade;
