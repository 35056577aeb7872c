//! Successful and failed replies.

use crate::{
    domain::plain,
    protocol::varlink::{DENIED, INVALID_PARAMETER, PERMISSION_DENIED, Reason, UNAVAILABLE},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use tokio::sync::watch;

/// Most characters of a caller's own text in a failure.
pub(super) const MAX_ECHO: usize = 200;

/// Takes the parameters of progress reports. A caller that is slow reads the last one only.
pub(super) type Reports = watch::Sender<Option<Value>>;

/// A successful reply.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) parameters: Value,
    pub(super) fd: Option<OwnedFd>,
}

impl Answer {
    /// A reply without a descriptor.
    pub(super) fn of(reply: &impl Serialize) -> Self {
        Self { parameters: to_value(reply), fd: None }
    }
}

/// An error reply.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: &'static str,
    pub(super) parameters: Value,
}

impl Failure {
    pub(super) fn of(error: &'static str, parameters: &impl Serialize) -> Self {
        Self { error, parameters: to_value(parameters) }
    }

    /// A refusal by policy, with a reason for the user.
    pub(super) fn denied(reason: impl Into<String>) -> Self {
        Self::of(DENIED, &Reason { reason: plain(reason.into()) })
    }

    /// A failure of the server, with a reason for the user.
    pub(super) fn unavailable(reason: impl Into<String>) -> Self {
        Self::of(UNAVAILABLE, &Reason { reason: plain(reason.into()) })
    }

    /// The access table does not permit the call.
    pub(super) fn permission_denied() -> Self {
        Self::of(PERMISSION_DENIED, &json!({}))
    }

    /// A parameter is unknown, missing or malformed.
    pub(super) fn invalid(parameter: &str) -> Self {
        Self::of(INVALID_PARAMETER, &json!({ "parameter": parameter }))
    }
}

/// The parameters of a call.
pub(super) fn parse<T: DeserializeOwned>(parameters: Value) -> Result<T, Failure> {
    // For serde a sequence is a struct as well; Varlink has objects only.
    if !parameters.is_object() {
        return Err(Failure::invalid("parameters"));
    }
    serde_json::from_value(parameters).map_err(|error| {
        let text = error.to_string();
        let name = text.split('`').nth(1).filter(|name| !name.is_empty()).unwrap_or("parameters");
        // The caller chose the name, which may be as long as a message.
        Failure::invalid(&name.chars().take(MAX_ECHO).collect::<String>())
    })
}

/// A reply as JSON.
pub(super) fn to_value<T: Serialize>(reply: &T) -> Value {
    // Our own types have string keys and finite numbers only, for which this cannot fail.
    serde_json::to_value(reply).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::varlink::AttachParameters;

    #[test]
    fn a_failure_names_the_parameter_that_is_unknown() {
        let failure = parse::<AttachParameters>(json!({"environment": {}, "colour": 1})).unwrap_err();
        assert_eq!(failure.parameters["parameter"], "colour");
        assert!(parse::<AttachParameters>(json!([])).is_err());
        let nameless = parse::<AttachParameters>(json!({"environment": {}, "": 1})).unwrap_err();
        assert_eq!(nameless.parameters["parameter"], "parameters");
        let long = parse::<AttachParameters>(json!({"environment": {}, "x".repeat(100_000): 1})).unwrap_err();
        assert_eq!(long.parameters["parameter"].as_str().unwrap().len(), MAX_ECHO);
    }
}
