//! Sessions: the containers of users, from the first login to the removal.
//!
//! This module orders the steps and keeps the rules: the row is written before the engine is asked, one session per
//! key, the guest is the truth about connections, the engine about containers. It knows no Varlink, no argv and no
//! file but those of its own session. Single-threaded: between two awaits nothing else runs, so no value changes
//! under a decision.
//!
//! State has one owner each, whose fields no other file writes:
//!
//! | owner | of |
//! |---|---|
//! | `Sessions` | the owners below, and the engine and the store that all sessions share |
//! | `Registry` | the sessions that exist, by their keys |
//! | `Session` | one session: its parts below, its rules and its timer |
//! | `Lifecycle` | the phase of a session, and every transition |
//! | `EngineSide` | container, network, first process |
//! | `GuestSide` | the link to the guest, and the connections |
//! | `Provision` | making and removing container and network |
//! | `Inventory` | which containers and networks of the engine podspawn made |
//! | `AuditQueue`, `Allowance`, `RecentEnds` | what is recorded of sessions |

mod allowance;
mod attach;
mod audit_queue;
mod audit_writer;
mod auditing;
mod capacity;
mod clock;
mod create;
mod deadlines;
mod destroy;
mod diagnose;
mod engine_events;
mod engine_side;
mod engine_watch;
mod error;
mod events;
mod exit_cause;
mod expire;
mod guest_binary;
mod guest_side;
mod home;
mod idle;
mod inspect;
mod inventory;
mod isolation;
mod lifecycle;
mod live_session;
mod provision;
mod pull;
mod recent_ends;
mod recording;
mod registry;
mod restore;
mod sessions;
mod spec;
mod subnets;
mod sweep;
mod uids;
mod verify;
mod withheld;

pub use attach::{Attached, Request};
pub use auditing::Auditing;
pub use capacity::Capacity;
pub use deadlines::Rules;
pub use diagnose::{Diagnosis, UidUse};
pub use error::AttachError;
pub use guest_binary::GuestBinary;
pub use home::HomeError;
pub use sessions::Sessions;
pub use uids::HostAccounts;
pub use verify::VerifyError;

#[cfg(test)]
mod tests;
