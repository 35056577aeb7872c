//! `io.podspawn.Admin.VerifyImage`: examines an image from inside a container with the settings of a session.

use crate::{
    broker::{
        authorize::Grant,
        events,
        reply::{Failure, Reports, to_value},
        state::{Broker, capacity},
    },
    domain::{ImageRef, UserName, chain},
    engine::Engine,
    policy,
    protocol::{
        examination::LOGIN,
        varlink::{Step, VerifyImageParameters, VerifyImageReply, methods::VerifyImage},
    },
    session::{AttachError, VerifyError},
    settings::Live,
};

impl<E: Engine + 'static> Broker<E> {
    /// Examines an image in a container with the hardening, limits and network of the server's settings.
    pub(super) async fn verify_image(
        &self,
        grant: Grant<'_, VerifyImage>,
        VerifyImageParameters { image }: VerifyImageParameters,
        reports: Reports,
    ) -> Result<VerifyImageReply, Failure> {
        let image: ImageRef = image.parse().map_err(|error| Failure::denied(format!("{error}")))?;
        let settings = self.settings_after(Live::refresh);
        // No user's overrides apply: the image is meant for all users.
        let account: UserName = LOGIN.parse().map_err(|_| Failure::invalid("image"))?;
        let plan = policy::decide(&settings, &account, None).map_err(|denial| Failure::denied(denial.to_string()))?;
        let shell = plan.shell.to_string();
        let plan = policy::Plan { image: image.clone(), ..plan };
        let capacity = capacity(&settings);
        let mut progress = |step: &Step| {
            let reply = VerifyImageReply { progress: Some(step.clone()), ..VerifyImageReply::default() };
            reports.send_replace(Some(to_value(&reply)));
        };
        let result = self.sessions.verify(plan, capacity, &mut progress).await;
        events::verified(grant.caller(), &image, result.as_ref().err());
        let reply = VerifyImageReply { shell: Some(shell), ..VerifyImageReply::default() };
        match result {
            Ok(facts) => Ok(VerifyImageReply { facts: Some(facts), ..reply }),
            Err(error @ (VerifyError::NotStarted(_) | VerifyError::Silent(_))) => {
                Ok(VerifyImageReply { problem: Some(chain(&error)), ..reply })
            }
            Err(VerifyError::Busy) => Err(Failure::denied(VerifyError::Busy.to_string())),
            Err(VerifyError::Host(error @ AttachError::Image { .. })) => Err(Failure::unavailable(error.for_user())),
            Err(error) => Err(Failure::unavailable(format!("{image} was not looked at: {}", chain(&error)))),
        }
    }
}
