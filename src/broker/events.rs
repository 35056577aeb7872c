//! What the broker writes to the log: the events that an operator searches for, with fields.
//!
//! In the journal the fields are `PODSPAWN_USER`, `PODSPAWN_PROJECT`, `PODSPAWN_SESSION`, `PODSPAWN_CONTAINER` and
//! `PODSPAWN_EVENT`. Values of environment variables and comments of keys never get here.

use super::caller::Caller;
use crate::{
    domain::{ImageRef, Outcome, SessionKey, UserName},
    log::LogFile,
    session::{AttachError, AuditNews, Happening, Reach, Removed, Summary, VerifyError},
    settings::Refreshed,
    store::BadRow,
};
use std::{io, time::Duration};
use tracing::{error, info, warn};

/// A session's event.
pub(super) fn session(summary: &Summary, happening: &Happening<'_>) {
    let Summary { id, key, container, connections, .. } = summary;
    let (user, project) = (&key.user, project(key));
    match happening {
        Happening::Created { .. } => {
            info!(event = "container_create", %user, project, session = %id, %container, image = summary.image, "container created for {key}");
        }
        Happening::Failed { error } => {
            error!(event = "container_create_failed", %user, project, session = %id, %container, "creating the container of {key}: {}", chain(error));
        }
        Happening::Connected { channel } => {
            info!(event = "connect", %user, project, session = %id, %container, channel = channel.0, "{key} connected");
        }
        Happening::Disconnected { channel, outcome, reason } => {
            let outcome = reason.map_or_else(|| outcome_text(*outcome), str::to_owned);
            info!(event = "disconnect", %user, project, session = %id, %container, channel = channel.0, outcome, remaining = connections, "{key} disconnected: {outcome}");
        }
        Happening::Invented { channels } => {
            warn!(event = "guest_invalid", %user, project, session = %id, %container, channels, "the guest of {key} named {channels} connections that do not exist; they do not count");
        }
        Happening::Ran { channel, run, outcome } => {
            let (outcome, command) = (outcome_text(*outcome), run.command.as_deref().unwrap_or(run.kind));
            info!(event = "command", %user, project, session = %id, %container, channel = channel.0, command, outcome, "{key} ran a command: {outcome}");
        }
        Happening::Destroying { reason, .. } => {
            info!(event = "container_destroy", %user, project, session = %id, %container, reason, "container of {key} is removed: {reason}");
        }
    }
}

/// A request that policy refused before any session was looked at.
pub(super) fn refused(caller: &Caller, user: &UserName, reason: &str) {
    warn!(event = "policy_deny", %user, uid = caller.uid, reason, "{user} refused: {reason}");
}

/// A request that failed later.
pub(super) fn not_attached(key: &SessionKey, error: &AttachError) {
    let (user, project) = (&key.user, project(key));
    match error {
        AttachError::Denied(reason) => warn!(event = "policy_deny", %user, project, %reason, "{key} refused: {reason}"),
        // The failure itself is logged once, by whoever found it.
        AttachError::Shared(_) => {}
        _ => error!(event = "attach_failed", %user, project, "{key} could not connect: {}", chain(error)),
    }
}

/// A change of the configuration files.
pub(super) fn settings(refreshed: &Refreshed) {
    match refreshed {
        Refreshed::Unchanged => {}
        Refreshed::Reloaded => info!(event = "config_reload", "configuration read again"),
        Refreshed::Kept(errors) => {
            for error in errors {
                error!(event = "config_invalid", "the last good configuration stays in force: {error}");
            }
        }
    }
}

/// The broker cannot work; everybody who connects is told so.
pub(super) fn unready(reasons: &[String]) {
    for reason in reasons {
        error!(event = "not_ready", "nobody can log in: {reason}");
    }
}

/// The audit log cannot be written, or can be again; or a user causes too many events.
pub(super) fn audit(news: &AuditNews<'_>) {
    match news {
        AuditNews::Written => {
            info!(event = "audit_written", "the audit log is written again, with everything that waited for it");
        }
        AuditNews::Failed(error) => {
            error!(event = "audit_failed", "{}; what is to be in it is kept and written later", chain(error));
        }
        AuditNews::Withheld { user, counts } => {
            let whose = user.map(|user| format!(" of {user}")).unwrap_or_default();
            let user = user.map_or("", AsRef::as_ref);
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let counts = counts.join(", ");
            warn!(event = "not_written", user, counts, "too many events{whose}: counted and not logged: {counts}");
        }
    }
}

/// The log file cannot be written, or can be again. The journal has everything in any case.
pub(super) fn log_file(file: &LogFile) {
    match file.news() {
        None => {}
        Some(Ok(())) => info!(event = "log_written", "the log file is written again"),
        Some(Err(error)) => error!(event = "log_failed", "{}; the journal has what is missing in it", chain(&error)),
    }
}

/// A row that means nothing.
pub(super) fn bad_row(row: &BadRow) {
    error!(event = "state_invalid", session = row.id, "left alone: {row}");
}

/// Nothing to stay for.
pub(super) fn idle_exit(after: Duration) {
    info!(event = "idle_exit", "no session for {} s; the next login starts the broker again", after.as_secs());
}

/// The kernel has no connection to give.
pub(super) fn accept_failed(error: &io::Error) {
    error!(event = "accept_failed", "accepting a connection: {error}");
}

/// An image was looked at.
pub(super) fn verified(caller: &Caller, image: &ImageRef, error: Option<&VerifyError>) {
    let uid = caller.uid;
    match error {
        None => info!(event = "image_verified", %image, uid, "image {image} was looked at"),
        Some(error) => {
            warn!(event = "image_not_verified", %image, uid, "image {image} could not be looked at: {}", chain(error));
        }
    }
}

/// What a pass removed.
pub(super) fn swept(removed: &[Removed]) {
    for Removed { kind, name, reason } in removed {
        info!(event = "cleanup", kind = kind.as_str(), name, reason, "removed {} {name}: {reason}", kind.as_str());
    }
}

/// A pass that could not be finished.
pub(super) fn sweep_failed(error: &dyn std::error::Error) {
    error!(event = "cleanup_failed", "cleaning up: {}", chain(error));
}

/// The engine went away, or came back.
pub(super) fn engine(reach: &Reach<'_>) {
    match reach {
        Reach::Lost(error) => {
            warn!(event = "engine_lost", "containers that run go on, none can be made: {}", chain(error));
        }
        Reach::Back => info!(event = "engine_back", "the container engine answers again"),
    }
}

/// A peer that may ask nothing.
pub(super) fn stranger(uid: u32, why: &str) {
    warn!(event = "policy_deny", uid, "uid {uid} refused: {why}");
}

fn project(key: &SessionKey) -> &str {
    key.project.as_ref().map_or("", AsRef::as_ref)
}

fn outcome_text(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Exited(code)) => format!("exit code {code}"),
        Some(Outcome::Killed(signal)) => format!("killed by signal {signal}"),
        None => "the client went away".to_owned(),
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
