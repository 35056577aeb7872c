//! The methods of every interface: who is asked for what, and how an answer or a failure looks.

mod admin;
mod diagnose;
mod metrics;
mod sessions;
mod verify;

pub(super) use metrics::count;

use super::{
    authorize::Caller,
    events, interface,
    look::Looks,
    prepare::{auditing, log_path},
};
use crate::{
    accounts::{Accounts, uids},
    domain::plain,
    engine::Engine,
    log::LogFile,
    measure::Measures,
    protocol::measurements::MEASUREMENTS,
    protocol::varlink::{
        ATTACH, CLEANUP, DENIED, DIAGNOSE, ENDED, LIST, OWN, Progress, Reason, RemovedInfo, SNAPSHOT, STOP,
        UNAVAILABLE, VERIFY_IMAGE,
    },
    session::{Capacity, HostAccounts, Removed, Sessions, Step},
    settings::{HostVariables, Live, Refreshed, Settings},
    sys::routes,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    os::fd::OwnedFd,
    rc::Rc,
    sync::Arc,
    time::Instant,
};
use tokio::sync::watch;

/// What every connection works with.
pub(super) struct Broker<E> {
    pub(super) sessions: Sessions<E>,
    pub(super) settings: RefCell<Live>,
    pub(super) host: RefCell<HostVariables>,
    pub(super) log: LogFile,
    pub(super) measures: Rc<Measures>,
    pub(super) looks: Looks,
    /// When somebody last asked for a session, which is what the broker stays for.
    pub(super) last_login: Cell<Option<Instant>>,
    /// Calls that are being worked on.
    pub(super) in_flight: Rc<Cell<u32>>,
}

/// Most characters of a caller's own text in a refusal.
const MAX_ECHO: usize = 200;

/// A successful reply.
pub(super) struct Answer {
    pub(super) parameters: Value,
    pub(super) fd: Option<OwnedFd>,
}

/// An error reply.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: &'static str,
    pub(super) parameters: Value,
}

impl Failure {
    fn denied(reason: impl Into<String>) -> Self {
        Self { error: DENIED, parameters: to_value(&Reason { reason: plain(reason.into()) }) }
    }

    pub(super) fn unavailable(reason: impl Into<String>) -> Self {
        Self { error: UNAVAILABLE, parameters: to_value(&Reason { reason: plain(reason.into()) }) }
    }

    fn permission_denied() -> Self {
        Self { error: "org.varlink.service.PermissionDenied", parameters: json!({}) }
    }

    fn invalid(parameter: &str) -> Self {
        Self { error: "org.varlink.service.InvalidParameter", parameters: json!({ "parameter": parameter }) }
    }
}

impl<E: Engine + 'static> Broker<E> {
    /// Looks at the files of the settings and opens both logs anew, as SIGHUP asks.
    pub(super) fn reload(&self) {
        let refreshed = self.settings.borrow_mut().refresh();
        events::settings(&refreshed);
        self.log.reopen();
        self.follow(&self.settings.borrow().current());
    }

    /// The settings, after `refresh` has looked at their files.
    fn settings_after(&self, refresh: impl FnOnce(&mut Live) -> Refreshed) -> Arc<Settings> {
        let refreshed = refresh(&mut self.settings.borrow_mut());
        events::settings(&refreshed);
        let settings = self.settings.borrow().current();
        if refreshed == Refreshed::Reloaded {
            self.follow(&settings);
        }
        settings
    }

    /// Logs where the settings say.
    fn follow(&self, settings: &Settings) {
        self.log.write_to(log_path(settings));
        events::log_file(&self.log);
        self.sessions.audit_to(auditing(settings));
    }

    /// Carries out one call. `report` is given what is being waited for.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        method: &str,
        parameters: Value,
        report: watch::Sender<Option<Value>>,
    ) -> Result<Answer, Failure> {
        let _counted = InFlight::new(&self.in_flight);
        match method {
            ATTACH => self.attach(caller, parameters, report).await,
            LIST => self.list(caller, &parameters),
            STOP => self.stop(caller, parameters),
            ENDED => self.ended(caller, parameters).await,
            SNAPSHOT => self.snapshot(caller, &parameters).await,
            MEASUREMENTS => self.measurements(caller).await,
            CLEANUP => self.cleanup(caller, parameters).await,
            VERIFY_IMAGE => self.verify_image(caller, parameters, report).await,
            DIAGNOSE => self.diagnose(caller).await,
            "org.varlink.service.GetInfo" => Ok(value(&interface::info())),
            "org.varlink.service.GetInterfaceDescription" => {
                let name =
                    parameters.get("interface").and_then(Value::as_str).ok_or_else(|| Failure::invalid("interface"))?;
                let description = interface::description(name).ok_or_else(|| Failure {
                    error: "org.varlink.service.InterfaceNotFound",
                    parameters: json!({ "interface": name }),
                })?;
                Ok(value(&json!({ "description": description })))
            }
            _ => Err(Failure {
                error: "org.varlink.service.MethodNotFound",
                parameters: json!({ "method": method.chars().take(MAX_ECHO).collect::<String>() }),
            }),
        }
    }
}

/// One call, counted until it is answered or given up.
struct InFlight(Rc<Cell<u32>>);

impl InFlight {
    fn new(count: &Rc<Cell<u32>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// How many sessions there may be, and where their networks come from.
fn capacity(settings: &Settings) -> Capacity {
    let resources = &settings.config.resources;
    Capacity {
        per_user: resources.max_per_user,
        total: resources.max_containers,
        pool: settings.config.network,
        routes: routes::list,
        accounts: HostAccounts { allot: uids::allot, holder: uids::holder, has: |user| Accounts::new().has(user) },
    }
}

/// What is being waited for, as every reply tells it.
fn progress_of(step: &Step) -> Progress {
    Progress { step: step.text.clone(), done: step.done, total: step.total }
}

/// What a pass removed or would remove, as every reply tells it.
fn removed_info(Removed { kind, name, reason }: Removed) -> RemovedInfo {
    RemovedInfo { kind: kind.as_str().to_owned(), name, reason }
}

fn parse<T: DeserializeOwned>(parameters: Value) -> Result<T, Failure> {
    // For serde a sequence is a struct as well; Varlink knows objects only.
    if !parameters.is_object() {
        return Err(Failure::invalid("parameters"));
    }
    serde_json::from_value(parameters).map_err(|error| {
        let text = error.to_string();
        let name = text.split('`').nth(1).filter(|name| !name.is_empty()).unwrap_or("parameters");
        // The name is the caller's, and may be as long as a message.
        Failure::invalid(&name.chars().take(MAX_ECHO).collect::<String>())
    })
}

/// Whether the caller asks for its own account's sessions alone, whatever else it may see.
fn asks_for_own(parameters: &Value) -> bool {
    parameters.get(OWN).and_then(Value::as_bool) == Some(true)
}

fn value<T: Serialize>(reply: &T) -> Answer {
    Answer { parameters: to_value(reply), fd: None }
}

fn to_value<T: Serialize>(reply: &T) -> Value {
    // Our own types have string keys and finite numbers only, for which this cannot fail.
    serde_json::to_value(reply).unwrap_or_default()
}

/// Reads a call as a connection does: `None` if it is none, else whether its parameters are the method's, or which is not.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn fuzz_call(bytes: &[u8]) -> Option<Result<(), String>> {
    use crate::protocol::varlink::{
        AttachParameters, CleanupParameters, EndedParameters, StopParameters, VerifyImageParameters,
    };
    let (method, parameters) = super::connection::read(bytes)?;
    let done = match method.as_str() {
        ATTACH => parse::<AttachParameters>(parameters).map(drop),
        STOP => parse::<StopParameters>(parameters).map(drop),
        ENDED => parse::<EndedParameters>(parameters).map(drop),
        CLEANUP => parse::<CleanupParameters>(parameters).map(drop),
        VERIFY_IMAGE => parse::<VerifyImageParameters>(parameters).map(drop),
        name => {
            let _ = interface::description(name);
            Ok(())
        }
    };
    Some(done.map_err(|failure| failure.parameters["parameter"].as_str().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::varlink::AttachParameters;

    #[test]
    fn a_parameter_that_nobody_knows_is_named() {
        let failure = parse::<AttachParameters>(json!({"environment": {}, "colour": 1})).unwrap_err();
        assert_eq!(failure.parameters["parameter"], "colour");
        assert!(parse::<AttachParameters>(json!([])).is_err());
        let nameless = parse::<AttachParameters>(json!({"environment": {}, "": 1})).unwrap_err();
        assert_eq!(nameless.parameters["parameter"], "parameters");
        let long = parse::<AttachParameters>(json!({"environment": {}, "x".repeat(100_000): 1})).unwrap_err();
        assert_eq!(long.parameters["parameter"].as_str().unwrap().len(), MAX_ECHO);
    }
}
