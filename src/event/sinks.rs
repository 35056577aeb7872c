//! What each sink makes of each event: the log an entry, the audit log a record, the metrics a count.
//!
//! Every match lists every event, so that the compiler names the sink that a new one is missing in.

use super::{
    Event, Subject,
    entry::Entry,
    record::{Fields, Record},
};
use crate::{
    domain::{Outcome, chain},
    measure::{
        Measures,
        catalog::{CLEANUPS, CREATED, CREATION_TIME, DESTROYED, SWEPT},
    },
};

impl Event<'_> {
    /// Logs and counts the event. The audit log is not written here: its records get into the file by way of a queue,
    /// together with the change of the state that they record.
    pub fn publish(&self, subject: &Subject<'_>, measures: &Measures) {
        self.log(subject);
        self.count(measures);
    }

    /// Logs the event, in a process without metrics.
    pub fn log(&self, subject: &Subject<'_>) {
        for entry in self.entries(subject) {
            entry.write(self.kind(), subject);
        }
    }

    #[allow(clippy::too_many_lines)] // one row per event
    fn entries(&self, subject: &Subject<'_>) -> Vec<Entry<'_>> {
        let entry = match *self {
            Self::ContainerCreate { image, .. } => {
                Entry { image: Some(image), ..Entry::text(format!("container created for {subject}")) }
            }
            Self::ContainerCreateFailed { error } => {
                Entry::text(format!("creating the container of {subject}: {}", chain(error)))
            }
            Self::Connect { channel, .. } => {
                Entry { channel: Some(channel.0), ..Entry::text(format!("{subject} connected")) }
            }
            Self::Disconnect { channel, outcome, reason, remaining } => {
                let outcome = reason.map_or_else(|| outcome_text(outcome), str::to_owned);
                let text = format!("{subject} disconnected: {outcome}");
                Entry {
                    channel: Some(channel.0),
                    outcome: Some(outcome),
                    remaining: Some(remaining),
                    ..Entry::text(text)
                }
            }
            Self::GuestInvalid { channels } => Entry {
                channels: Some(channels),
                ..Entry::text(format!(
                    "the guest of {subject} named {channels} connections that do not exist; they do not count"
                ))
            },
            Self::Command { channel, run, outcome } => {
                let outcome = outcome_text(outcome);
                let text = format!("{subject} ran a command: {outcome}");
                Entry {
                    channel: Some(channel.0),
                    command: Some(run.command.as_deref().unwrap_or(run.kind)),
                    outcome: Some(outcome),
                    ..Entry::text(text)
                }
            }
            Self::ContainerDestroy { reason, .. } => {
                Entry { reason: Some(reason), ..Entry::text(format!("container of {subject} is removed: {reason}")) }
            }
            Self::PolicyDeny { uid: Some(uid), reason } if subject.user.is_none() => {
                Entry { uid: Some(uid), ..Entry::text(format!("uid {uid} refused: {reason}")) }
            }
            Self::PolicyDeny { uid, reason } => {
                Entry { uid, reason: Some(reason), ..Entry::text(format!("{subject} refused: {reason}")) }
            }
            Self::AttachFailed { error } => Entry::text(format!("{subject} could not connect: {}", chain(error))),
            Self::ConfigReload => Entry::text("configuration read again"),
            Self::ConfigInvalid { error } => {
                Entry::text(format!("the last good configuration stays in force: {}", chain(error)))
            }
            Self::NotReady { reason } => Entry::text(format!("no user can log in: {reason}")),
            Self::AuditWritten => Entry::text("the audit log is written again, with every event of the meantime"),
            Self::AuditFailed { error } => {
                Entry::text(format!("{}; its events are kept in the state and written later", chain(error)))
            }
            Self::NotWritten { counts, .. } => {
                let user = subject.user.filter(|user| !user.is_empty());
                let of_user = user.map(|user| format!(" of {user}")).unwrap_or_default();
                let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
                let counts = counts.join(", ");
                let text = format!("too many events{of_user}: counted and not logged: {counts}");
                Entry { counts: Some(counts), ..Entry::text(text) }
            }
            Self::LogWritten => Entry::text("the log file is written again"),
            Self::LogFailed { error } => Entry::text(format!("{}; the journal has every event", chain(error))),
            Self::StateInvalid { error } => Entry::text(format!("invalid row left unchanged: {}", chain(error))),
            Self::IdleExit { after } => {
                Entry::text(format!("no session for {} s; the next login starts the broker again", after.as_secs()))
            }
            Self::AcceptFailed { error } => Entry::text(format!("accepting a connection: {}", chain(error))),
            Self::Cleanup { removed } => {
                let entries = removed.iter().map(|one| Entry {
                    kind: Some(one.kind.as_str()),
                    name: Some(&one.name),
                    reason: Some(&one.reason),
                    ..Entry::text(format!("removed {} {}: {}", one.kind.as_str(), one.name, one.reason))
                });
                return entries.collect();
            }
            Self::CleanupFailed { error } => Entry::text(format!("cleaning up: {}", chain(error))),
            Self::EngineLost { error } => {
                Entry::text(format!("running containers continue, but none can be created: {}", chain(error)))
            }
            Self::EngineBack => Entry::text("the container engine answers again"),
            Self::ImageVerified { image, uid } => Entry {
                image: Some(image.as_ref()),
                uid: Some(uid),
                ..Entry::text(format!("image {image} was verified"))
            },
            Self::ImageNotVerified { image, uid, error } => Entry {
                image: Some(image.as_ref()),
                uid: Some(uid),
                ..Entry::text(format!("image {image} could not be verified: {}", chain(error)))
            },
            Self::AuthKeys { remark } => Entry::text(format!("auth-keys: {subject}: {remark}")),
        };
        vec![entry]
    }

    /// The event's record in the audit log; `None` if it has none there.
    #[must_use]
    pub fn record<'a>(&'a self, subject: &'a Subject<'a>, at: jiff::Timestamp) -> Option<Record<'a>> {
        let fields = match *self {
            Self::ContainerCreate { image, mode, .. } => {
                Fields { image: Some(image), mode: Some(mode.as_str()), ..Fields::default() }
            }
            Self::Connect { channel, run } => Fields { channel: Some(channel), run: Some(run), ..Fields::default() },
            Self::Disconnect { channel, outcome, reason, remaining } => Fields {
                channel: Some(channel),
                reason,
                end: outcome.into(),
                remaining: Some(remaining),
                ..Fields::default()
            },
            Self::Command { channel, run, outcome } => {
                Fields { channel: Some(channel), kind: Some(run.kind), end: outcome.into(), ..Fields::default() }
            }
            Self::ContainerDestroy { reason, .. } => Fields { reason: Some(reason), ..Fields::default() },
            Self::PolicyDeny { uid, reason } => Fields { uid, reason: Some(reason), ..Fields::default() },
            Self::NotWritten { counts, since, reason } => {
                Fields { counts: Some(counts), since: Some(since), reason: Some(reason), ..Fields::default() }
            }
            Self::Cleanup { removed } => Fields { removed: Some(removed), ..Fields::default() },
            Self::ContainerCreateFailed { .. }
            | Self::GuestInvalid { .. }
            | Self::AttachFailed { .. }
            | Self::ConfigReload
            | Self::ConfigInvalid { .. }
            | Self::NotReady { .. }
            | Self::AuditWritten
            | Self::AuditFailed { .. }
            | Self::LogWritten
            | Self::LogFailed { .. }
            | Self::StateInvalid { .. }
            | Self::IdleExit { .. }
            | Self::AcceptFailed { .. }
            | Self::CleanupFailed { .. }
            | Self::EngineLost { .. }
            | Self::EngineBack
            | Self::ImageVerified { .. }
            | Self::ImageNotVerified { .. }
            | Self::AuthKeys { .. } => return None,
        };
        Some(Record { at, kind: self.kind(), fields, subject })
    }

    fn count(&self, measures: &Measures) {
        match *self {
            Self::ContainerCreate { phases, .. } => {
                measures.count(&CREATED, "ok");
                for (phase, took) in phases {
                    measures.time(&CREATION_TIME, phase, *took);
                }
            }
            Self::ContainerCreateFailed { .. } => measures.count(&CREATED, "failed"),
            Self::ContainerDestroy { cause: Some(cause), .. } => measures.count(&DESTROYED, cause.as_str()),
            Self::Cleanup { removed } => {
                measures.count(&CLEANUPS, "ok");
                for one in removed {
                    measures.count(&SWEPT, one.kind.as_str());
                }
            }
            Self::CleanupFailed { .. } => measures.count(&CLEANUPS, "failed"),
            Self::ContainerDestroy { cause: None, .. }
            | Self::Connect { .. }
            | Self::Disconnect { .. }
            | Self::GuestInvalid { .. }
            | Self::Command { .. }
            | Self::PolicyDeny { .. }
            | Self::AttachFailed { .. }
            | Self::ConfigReload
            | Self::ConfigInvalid { .. }
            | Self::NotReady { .. }
            | Self::AuditWritten
            | Self::AuditFailed { .. }
            | Self::NotWritten { .. }
            | Self::LogWritten
            | Self::LogFailed { .. }
            | Self::StateInvalid { .. }
            | Self::IdleExit { .. }
            | Self::AcceptFailed { .. }
            | Self::EngineLost { .. }
            | Self::EngineBack
            | Self::ImageVerified { .. }
            | Self::ImageNotVerified { .. }
            | Self::AuthKeys { .. } => {}
        }
    }
}

fn outcome_text(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Exited(code)) => format!("exit code {code}"),
        Some(Outcome::Killed(signal)) => format!("killed by signal {signal}"),
        None => "the client went away".to_owned(),
    }
}
