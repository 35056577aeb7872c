//! An event in the audit log: the object on its line, behind the line's number.

use super::{Kind, Subject};
use crate::{
    audit::Run,
    domain::{ChannelId, Outcome, Removed},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::collections::BTreeMap;

/// What an event adds to its time, name and [`Subject`]; an absent field is not written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hexadecimal")]
    pub(super) channel: Option<ChannelId>,
    /// `shell`, `command` or `sftp`, where the rest of [`Self::run`] is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'a str>,
    #[serde(flatten)]
    pub(super) run: Option<&'a Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<&'a BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "utc")]
    pub(super) since: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    #[serde(flatten)]
    pub(super) end: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<&'a [Removed]>,
}

/// How a process ended; empty if the client went first.
#[derive(Debug, Default, Serialize)]
pub(super) struct End {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
}

impl From<Option<Outcome>> for End {
    fn from(outcome: Option<Outcome>) -> Self {
        match outcome {
            Some(Outcome::Exited(code)) => Self { exit_code: Some(code), signal: None },
            Some(Outcome::Killed(signal)) => Self { exit_code: None, signal: Some(signal) },
            None => Self::default(),
        }
    }
}

/// One record, as [`crate::audit::line`] writes it.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    #[serde(rename = "timestamp", serialize_with = "at")]
    pub(super) at: jiff::Timestamp,
    #[serde(rename = "event", serialize_with = "name")]
    pub(super) kind: Kind,
    #[serde(flatten)]
    pub(super) fields: Fields<'a>,
    #[serde(flatten, serialize_with = "known")]
    pub(super) subject: &'a Subject<'a>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn name<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// What is known of the subject; the user's own container has no project.
fn known<S: Serializer>(subject: &Subject<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let Subject { user, project, session, container, container_id } = subject;
    let fields = [
        ("user", user),
        ("project", project),
        ("session", session),
        ("container", container),
        ("container_id", container_id),
    ];
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// As text: jq reads numbers as floating point, in which 64 bits do not fit.
#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // serde's signature
fn hexadecimal<S: Serializer>(channel: &Option<ChannelId>, serializer: S) -> Result<S::Ok, S::Error> {
    let channel = channel.map_or(0, |channel| channel.0);
    serializer.collect_str(&format_args!("{channel:016x}"))
}

#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // serde's signature
fn utc<S: Serializer>(moment: &Option<jiff::Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at(&moment.unwrap_or_default(), serializer)
}

/// RFC 3339 in UTC, to the microsecond.
fn at<S: Serializer>(moment: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{moment:.6}"))
}
