//! The whole guest.
