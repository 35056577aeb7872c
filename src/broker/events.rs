//! The broker's own events, from what its methods know of them.

use super::caller::Caller;
use crate::{
    domain::{ImageRef, SessionKey, UserName},
    event::{Event, Subject},
    log::LogFile,
    session::{AttachError, VerifyError},
    settings::Refreshed,
    store::BadRow,
};
use std::{io, time::Duration};

/// A request that policy refused before any session was looked at.
pub(super) fn refused(caller: &Caller, user: &UserName, reason: &str) {
    let subject = Subject { user: Some(user.as_ref()), ..Subject::default() };
    Event::PolicyDeny { uid: Some(caller.uid), reason }.log(&subject);
}

/// A request that failed later.
pub(super) fn not_attached(key: &SessionKey, error: &AttachError) {
    match error {
        AttachError::Denied(reason) => {
            Event::PolicyDeny { uid: None, reason: &reason.to_string() }.log(&Subject::key(key));
        }
        // The failure itself is logged once, as that of the creation.
        AttachError::Shared(_) => {}
        error => Event::AttachFailed { error }.log(&Subject::key(key)),
    }
}

/// A change of the configuration files.
pub(super) fn settings(refreshed: &Refreshed) {
    match refreshed {
        Refreshed::Unchanged => {}
        Refreshed::Reloaded => Event::ConfigReload.log(&Subject::default()),
        Refreshed::Kept(errors) => {
            for error in errors {
                Event::ConfigInvalid { error }.log(&Subject::default());
            }
        }
    }
}

/// The broker cannot work; every login is refused with the reason.
pub(super) fn unready(reasons: &[String]) {
    for reason in reasons {
        Event::NotReady { reason }.log(&Subject::default());
    }
}

/// The log file cannot be written, or can be again. The journal has everything in any case.
pub(super) fn log_file(file: &LogFile) {
    match file.news() {
        None => {}
        Some(Ok(())) => Event::LogWritten.log(&Subject::default()),
        Some(Err(error)) => Event::LogFailed { error: &error }.log(&Subject::default()),
    }
}

/// An invalid row of the state.
pub(super) fn bad_row(row: &BadRow) {
    Event::StateInvalid { error: row }.log(&Subject { session: Some(&row.id), ..Subject::default() });
}

/// The broker exits for want of sessions.
pub(super) fn idle_exit(after: Duration) {
    Event::IdleExit { after }.log(&Subject::default());
}

/// The kernel has no connection to give.
pub(super) fn accept_failed(error: &io::Error) {
    Event::AcceptFailed { error }.log(&Subject::default());
}

/// An image was verified, or could not be.
pub(super) fn verified(caller: &Caller, image: &ImageRef, error: Option<&VerifyError>) {
    let uid = caller.uid;
    match error {
        None => Event::ImageVerified { image, uid }.log(&Subject::default()),
        Some(error) => Event::ImageNotVerified { image, uid, error }.log(&Subject::default()),
    }
}

/// A peer that may call no method.
pub(super) fn stranger(uid: u32, reason: &str) {
    Event::PolicyDeny { uid: Some(uid), reason }.log(&Subject::default());
}
