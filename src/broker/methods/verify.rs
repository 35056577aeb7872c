//! `io.podspawn.Admin.VerifyImage`: what an image has, seen from inside a container like those that people get.

use super::{Answer, Broker, Failure, capacity, parse, progress_of, to_value, value};
use crate::{
    broker::{authorize::Caller, events},
    domain::{ImageRef, UserName},
    engine::Engine,
    policy,
    protocol::{
        examination::LOGIN,
        varlink::{VerifyImageParameters, VerifyImageReply},
    },
    session::{AttachError, Step, VerifyError},
    settings::Live,
};
use serde_json::Value;
use tokio::sync::watch;

impl<E: Engine + 'static> Broker<E> {
    /// Looks at an image, with the hardening, limits and network that the server's own settings give a session.
    pub(super) async fn verify_image(
        &self,
        caller: &Caller,
        parameters: Value,
        report: watch::Sender<Option<Value>>,
    ) -> Result<Answer, Failure> {
        let VerifyImageParameters { image } = parse(parameters)?;
        if !caller.admin {
            return Err(Failure::permission_denied());
        }
        let image: ImageRef = image.parse().map_err(|error| Failure::denied(format!("{error}")))?;
        let settings = self.settings_after(Live::refresh);
        // Nobody's overrides: the image is to be good for everybody.
        let nobody: UserName = LOGIN.parse().map_err(|_| Failure::invalid("image"))?;
        let plan = policy::decide(&settings, &nobody, None).map_err(|denial| Failure::denied(denial.to_string()))?;
        let shell = plan.shell.to_string();
        let plan = policy::Plan { image: image.clone(), ..plan };
        let capacity = capacity(&settings);
        let mut progress = |step: &Step| {
            let progress = progress_of(step);
            report.send_replace(Some(to_value(&VerifyImageReply { progress: Some(progress), ..Default::default() })));
        };
        let result = self.sessions.verify(plan, capacity, &mut progress).await;
        events::verified(caller, &image, result.as_ref().err());
        let reply = VerifyImageReply { shell: Some(shell), ..VerifyImageReply::default() };
        match result {
            Ok(facts) => Ok(value(&VerifyImageReply { facts: Some(facts), ..reply })),
            Err(error @ (VerifyError::NotStarted(_) | VerifyError::Silent(_))) => {
                Ok(value(&VerifyImageReply { problem: Some(events::chain(&error)), ..reply }))
            }
            Err(VerifyError::Busy) => Err(Failure::denied(VerifyError::Busy.to_string())),
            Err(VerifyError::Host(error @ AttachError::Image { .. })) => Err(Failure::unavailable(error.for_user())),
            Err(error) => Err(Failure::unavailable(format!("{image} was not looked at: {}", events::chain(&error)))),
        }
    }
}
