//! The methods of every interface: each call is authorized, its parameters are read, then its handler runs.

mod admin;
mod diagnose;
mod metrics;
mod service;
mod sessions;
mod verify;

use super::{
    authorize::authorize,
    caller::Caller,
    reply::{Answer, Failure, MAX_ECHO, Reports, parse},
    state::Broker,
};
use crate::{
    engine::Engine,
    protocol::varlink::{METHOD_NOT_FOUND, Method},
};
use serde_json::{Value, json};

/// Carries out one call. `reports` gets the progress of a slow one.
pub(super) async fn call<E: Engine + 'static>(
    broker: &Broker<E>,
    caller: &Caller,
    method: &str,
    parameters: Value,
    reports: Reports,
) -> Result<Answer, Failure> {
    let method: Method = method.parse().map_err(|_| {
        let name: String = method.chars().take(MAX_ECHO).collect();
        Failure::of(METHOD_NOT_FOUND, &json!({ "method": name }))
    })?;
    match method {
        Method::Attach => broker.attach(authorize(caller)?, parse(parameters)?, reports).await,
        Method::List => broker.list(authorize(caller)?, parse(parameters)?).map(|reply| Answer::of(&reply)),
        Method::Stop => broker.stop(authorize(caller)?, parse(parameters)?).map(|reply| Answer::of(&reply)),
        Method::Ended => broker.ended(authorize(caller)?, parse(parameters)?).await.map(|reply| Answer::of(&reply)),
        Method::Snapshot => {
            broker.snapshot(authorize(caller)?, parse(parameters)?).await.map(|reply| Answer::of(&reply))
        }
        Method::Measurements => Ok(Answer::of(&broker.measurements(authorize(caller)?).await)),
        Method::Cleanup => broker.cleanup(authorize(caller)?, parse(parameters)?).await.map(|reply| Answer::of(&reply)),
        Method::Diagnose => Ok(Answer::of(&broker.diagnose(authorize(caller)?).await)),
        Method::VerifyImage => {
            let reply = broker.verify_image(authorize(caller)?, parse(parameters)?, reports).await;
            reply.map(|reply| Answer::of(&reply))
        }
        Method::GetInfo => Ok(Answer::of(&service::info(authorize(caller)?))),
        Method::GetInterfaceDescription => {
            service::description(authorize(caller)?, parse(parameters)?).map(|reply| Answer::of(&reply))
        }
    }
}

/// Reads a call as a connection does: `None` if it is none, else whether its parameters are the method's, or which is not.
#[cfg(fuzzing)]
pub(super) fn fuzz_parameters(method: &str, parameters: Value) -> Result<(), String> {
    use crate::protocol::varlink::{Call, methods};

    fn check<C: Call>(parameters: Value) -> Result<(), Failure> {
        parse::<C::Parameters>(parameters).map(drop)
    }
    let checked = match method.parse() {
        Ok(Method::Attach) => check::<methods::Attach>(parameters),
        Ok(Method::List) => check::<methods::List>(parameters),
        Ok(Method::Stop) => check::<methods::Stop>(parameters),
        Ok(Method::Ended) => check::<methods::Ended>(parameters),
        Ok(Method::Snapshot) => check::<methods::Snapshot>(parameters),
        Ok(Method::Cleanup) => check::<methods::Cleanup>(parameters),
        Ok(Method::VerifyImage) => check::<methods::VerifyImage>(parameters),
        Ok(Method::GetInterfaceDescription) => check::<methods::GetInterfaceDescription>(parameters),
        Ok(Method::Measurements | Method::Diagnose | Method::GetInfo) | Err(_) => Ok(()),
    };
    checked.map_err(|failure| failure.parameters["parameter"].as_str().unwrap_or_default().to_owned())
}
